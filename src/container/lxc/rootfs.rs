//! The root file system of a container: unpacked with shifted ids, and made its own: names, name servers, keys.
use super::write::{IDS, SHIFT};
use super::{attach, rootfs_path};
use crate::container::renew::{FORGET, KEYS};
use crate::container::{Found, Net, Set, Settings};
use crate::error::{Error, Result};
use crate::field::Address;
use crate::system::{Command, NewFile, System};
use std::path::{Path, PathBuf};
use std::time::Duration;

/// A container's root file system on the host.
pub(super) struct Rootfs {
    id: u32,
    path: PathBuf,
    unprivileged: bool,
}

impl Rootfs {
    pub(super) fn new(id: u32, unprivileged: bool) -> Self {
        Self { id, path: PathBuf::from(rootfs_path(id)), unprivileged }
    }

    /// Who is root inside.
    fn root(&self) -> u32 {
        if self.unprivileged { SHIFT } else { 0 }
    }

    /// Unpacks a template into a directory that is not there yet.
    pub(super) fn unpack(&self, sys: &dyn System, template: &Path, timeout: Duration) -> Result<()> {
        sys.make_dir(&self.path, self.root(), self.root(), 0o755)?;
        let (template, target) = (template.to_string_lossy().into_owned(), self.path.to_string_lossy().into_owned());
        let compression = compression(&template)?;
        // A container has a /dev of its own, and device nodes can't be made with shifted ids.
        let tar =
            ["tar", "-xpf", "-", "-C", &target, compression, "--numeric-owner", "--anchored", "--exclude=./dev/*"];
        // Opened by root: with shifted ids it may be out of reach.
        let open = ["sh", "-c", "exec \"$@\" <\"$0\"", &template].map(str::to_owned);
        let command = Command::new(open.into_iter().chain(shifted(self.unprivileged, &tar))).timeout(timeout);
        to_its_end(sys, &command).map_err(|error| {
            let remedy = error.remedy.clone();
            let remedy = remedy.unwrap_or_else(|| "remove the template if it is broken, and run again".to_owned());
            error.during(format!("unpacking `{template}`")).remedy(remedy)
        })?;
        let proof = self.path.join("etc");
        match sys.lstat(&proof) {
            Ok(Some(_)) => Ok(()),
            _ => Err(Error::new(format!("unpacking `{template}`"))
                .reason("there is no `/etc` in it: not a root file system")),
        }
    }

    /// Gives a fresh root file system what must be its own before it starts for the first time.
    pub(super) fn personalise(&self, sys: &dyn System, settings: &Settings) -> Result<()> {
        let hostname = settings.hostname.as_deref().unwrap_or("localhost");
        self.put(sys, "etc/hostname", &format!("{hostname}\n"))?;
        self.put(sys, "etc/hosts", &hosts(hostname))?;
        self.put(sys, "etc/resolv.conf", &resolver(sys, settings)?)?;
        // Empty: systemd makes a new one at the first boot.
        self.put(sys, "etc/machine-id", "")?;
        sys.remove_file(&self.path.join("var/lib/dbus/machine-id"))?;
        if settings.nets.iter().any(by_dhcp) {
            self.put(sys, "etc/network/interfaces", &interfaces(&settings.nets))?;
        }
        self.renew_ssh_keys(sys, hostname)
    }

    /// Copies the root file system of a base into a directory that is not there yet; where the file system can, both share
    /// blocks that neither has written.
    pub(super) fn copy(&self, sys: &dyn System, base: u32, timeout: Duration) -> Result<()> {
        let (from, to) = (rootfs_path(base), self.path.to_string_lossy());
        let argv = ["cp", "--archive", "--reflink=auto", "--one-file-system", "--no-target-directory", &from, &to];
        let command = Command::new(argv).timeout(timeout);
        let copied = sys.run(&command).and_then(|output| output.success(&command));
        copied.map(drop).map_err(|error| error.during(format!("copying the base {base}")))
    }

    /// Gives the copy of a base what must be its own. A base has run: all is done from inside, so that its links lead
    /// nowhere else.
    pub(super) fn renew(&self, sys: &dyn System, settings: &Settings, base: &Settings) -> Result<()> {
        let hostname = settings.hostname.as_deref().unwrap_or("localhost");
        self.rename(sys, false, hostname)?;
        self.resolve(sys, false, settings)?;
        if settings.nets.iter().chain(&base.nets).any(by_dhcp) {
            self.network(sys, false, settings)?;
        }
        self.inside(sys, false, &["sh", "-c", FORGET], "")?;
        self.inside(sys, false, &["sh", "-c", KEYS, "sh", hostname], "")
    }

    fn renew_ssh_keys(&self, sys: &dyn System, hostname: &str) -> Result<()> {
        let ssh = self.path.join("etc/ssh");
        for name in sys.list(&ssh).unwrap_or_default() {
            if name.to_string_lossy().starts_with("ssh_host_") {
                sys.remove_file(&ssh.join(name))?;
            }
        }
        if matches!(sys.lstat(&self.path.join("usr/sbin/sshd")), Ok(Some(_))) {
            self.inside(sys, false, &["sh", "-c", KEYS, "sh", hostname], "")?;
        }
        Ok(())
    }

    /// Changes its host name: what the next boot reads.
    pub(super) fn rename(&self, sys: &dyn System, running: bool, hostname: &str) -> Result<()> {
        self.replace(sys, running, "/etc/hostname", &format!("{hostname}\n"))?;
        let script = format!("s/^127\\.0\\.1\\.1[[:space:]].*/127.0.1.1\\t{}/", names(hostname));
        self.inside(sys, running, &["sed", "-i", &script, "/etc/hosts"], "")
    }

    /// Changes whom it asks for names, at once.
    pub(super) fn resolve(&self, sys: &dyn System, running: bool, settings: &Settings) -> Result<()> {
        self.replace(sys, running, "/etc/resolv.conf", &resolver(sys, settings)?)
    }

    /// Changes which of its interfaces ask for an address.
    pub(super) fn network(&self, sys: &dyn System, running: bool, settings: &Settings) -> Result<()> {
        self.replace(sys, running, "/etc/network/interfaces", &interfaces(&settings.nets))
    }

    /// Puts a file into a root file system that has never run.
    fn put(&self, sys: &dyn System, path: &str, content: &str) -> Result<()> {
        let file = NewFile { content: content.as_bytes(), uid: self.root(), gid: self.root(), mode: 0o644 };
        sys.write(&self.path.join(path), &file, &|_| Ok(()))
    }

    /// Replaces a file of a container that may have run: from inside, so that its links lead nowhere else.
    fn replace(&self, sys: &dyn System, running: bool, path: &str, content: &str) -> Result<()> {
        let script = "umask 022 && cat >\"$1.new\" && mv -f \"$1.new\" \"$1\"";
        self.inside(sys, running, &["sh", "-c", script, "sh", path], content)
    }

    /// Runs a program of the container: attached where it runs, else below its root with its ids.
    fn inside(&self, sys: &dyn System, running: bool, argv: &[&str], stdin: &str) -> Result<()> {
        if running {
            let command = Command::new(attach(self.id, argv)).stdin(stdin).timeout(SHORT);
            return sys.run(&command)?.success(&command).map(drop);
        }
        let target = self.path.to_string_lossy();
        let argv = shifted(self.unprivileged, &[&["chroot", &target], argv].concat());
        to_its_end(sys, &Command::new(argv).stdin(stdin).timeout(SHORT))
    }
}

/// What a program says last that came to its end: `lxc-usernsexec` succeeds where a signal ended what it runs.
const END: &str = "this was all";

/// Returns the argv that runs `argv` with the ids of a container, for `to_its_end`.
pub(in crate::container) fn shifted(unprivileged: bool, argv: &[&str]) -> Vec<String> {
    let maps = [format!("u:0:{SHIFT}:{IDS}"), format!("g:0:{SHIFT}:{IDS}")];
    let user: &[&str] = &["lxc-usernsexec", "-m", &maps[0], "-m", &maps[1], "--"];
    let user = if unprivileged { user } else { &[] };
    let script = format!("\"$@\" && echo {END}");
    let said: &[&str] = &["sh", "-c", &script, "sh"];
    user.iter().chain(said).chain(argv).map(|part| (*part).to_owned()).collect()
}

/// Runs what `shifted` returned; it must succeed, and come to its end.
pub(in crate::container) fn to_its_end(sys: &dyn System, command: &Command) -> Result<()> {
    let output = sys.run(command)?.success(command)?;
    if output.text().trim_end().ends_with(END) {
        return Ok(());
    }
    Err(Error::new(format!("running `{}`", command.shown()))
        .reason("it was ended before it was done")
        .output(&String::from_utf8_lossy(&output.stderr))
        .remedy("run the same command again: what was cut off is done anew"))
}

/// Changes what a setting means to the files inside.
pub(super) fn inside(sys: &dyn System, id: u32, found: &Found, set: &Set, after: &Settings) -> Result<()> {
    let rootfs = Rootfs::new(id, after.unprivileged != Some(false));
    match set {
        Set::Hostname(name) => rootfs.rename(sys, found.running, name),
        Set::Nameserver(_) | Set::Searchdomain(_) => rootfs.resolve(sys, found.running, after),
        Set::Net(net) => {
            let dhcp = |nets: &[Net]| nets.iter().any(|is| is.name == net.name && is.address == Some(Address::Dhcp));
            if dhcp(&found.settings.nets) == dhcp(&after.nets) {
                return Ok(());
            }
            rootfs.network(sys, found.running, after)
        }
        _ => Ok(()),
    }
}

/// For what takes a moment.
const SHORT: Duration = Duration::from_mins(1);

/// Returns the option that makes tar unpack a template: it can't tell by itself from a stream.
fn compression(template: &str) -> Result<&'static str> {
    let known = [
        (".zst", "--zstd"),
        (".gz", "--gzip"),
        (".tgz", "--gzip"),
        (".xz", "--xz"),
        (".bz2", "--bzip2"),
        (".tar", "--no-auto-compress"),
    ];
    known.into_iter().find(|(end, _)| template.ends_with(end)).map(|(_, option)| option).ok_or_else(|| {
        Error::new(format!("unpacking `{template}`"))
            .reason("its name says nothing of how it is packed")
            .remedy("let it end in .tar, .tar.gz, .tar.xz or .tar.zst")
    })
}

fn by_dhcp(net: &Net) -> bool {
    net.address == Some(Address::Dhcp)
}

/// `name.domain name`, or the name alone.
fn names(hostname: &str) -> String {
    match hostname.split_once('.') {
        Some((short, _)) => format!("{hostname} {short}"),
        None => hostname.to_owned(),
    }
}

fn hosts(hostname: &str) -> String {
    let names = names(hostname);
    format!(
        "127.0.0.1\tlocalhost\n127.0.1.1\t{names}\n::1\t\tlocalhost ip6-localhost ip6-loopback\n\
         ff02::1\t\tip6-allnodes\nff02::2\t\tip6-allrouters\n"
    )
}

/// Fixed addresses are set by LXC before the container boots; the others are asked for inside.
fn interfaces(nets: &[Net]) -> String {
    let head = "auto lo\niface lo inet loopback\n";
    let asked = nets
        .iter()
        .filter(|net| by_dhcp(net))
        .map(|Net { name, .. }| format!("\nauto {name}\niface {name} inet dhcp\n"));
    format!("{head}{}\nsource /etc/network/interfaces.d/*\n", asked.collect::<String>())
}

/// Returns the resolver's configuration: what is asked, else the host's, as far as it can be reached from a container.
fn resolver(sys: &dyn System, settings: &Settings) -> Result<String> {
    let domain =
        |text: &str| settings.searchdomain.as_ref().map_or(text.to_owned(), |domain| format!("search {domain}\n"));
    if !settings.nameserver.is_empty() {
        let servers: Vec<String> = settings.nameserver.iter().map(|server| format!("nameserver {server}")).collect();
        return Ok(format!("{}{}\n", domain(""), servers.join("\n")));
    }
    // Where the host runs a resolver of its own, the second has what it asks.
    for path in ["/etc/resolv.conf", "/run/systemd/resolve/resolv.conf"] {
        let text = super::host::text(sys, path)?.unwrap_or_default();
        let of = |kind: &'static str| text.lines().map(str::trim).filter(move |line| line.starts_with(kind));
        let servers = of("nameserver ").filter(|line| !line.contains(" 127.") && !line.ends_with(" ::1"));
        let servers: Vec<&str> = servers.collect();
        if !servers.is_empty() {
            let search: Vec<&str> = of("search ").take(1).collect();
            let search = search.first().map_or_else(String::new, |line| format!("{line}\n"));
            return Ok(format!("{}{}\n", domain(&search), servers.join("\n")));
        }
    }
    Ok(domain(""))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_host_name_with_a_domain_answers_to_both() {
        assert!(hosts("lilly.lab.example").contains("\n127.0.1.1\tlilly.lab.example lilly\n"));
        assert!(hosts("lilly").contains("\n127.0.1.1\tlilly\n"));
    }

    #[test]
    fn only_interfaces_that_ask_for_an_address_are_configured_inside() {
        let net = |name: &str, address| Net { name: name.into(), address, ..Net::default() };
        let text = interfaces(&[net("eth0", None), net("eth1", Some(Address::Dhcp))]);
        assert!(text.contains("\nauto eth1\niface eth1 inet dhcp\n") && !text.contains("eth0"), "{text}");
    }
}
