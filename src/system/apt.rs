//! apt-get as it is called here, whether its lists are fresh, and what its messages mean.
use super::fingerprint::listed;
use super::{Command, FileKind, Output, System};
use crate::error::{Attempt as _, Error, Result};
use std::io;
use std::path::Path;
use std::time::{Duration, SystemTime};

/// Never asks, keeps configuration files that were edited, waits for another dpkg, and takes a name for a name only.
const OPTIONS: [&str; 14] = [
    "-q",
    "-y",
    "-o",
    "Dpkg::Options::=--force-confdef",
    "-o",
    "Dpkg::Options::=--force-confold",
    "-o",
    "DPkg::Lock::Timeout=600",
    "-o",
    "APT::Cmd::Pattern-Only=true",
    "-o",
    "APT::Get::AutomaticRemove=false",
    "-o",
    "APT::Keep-Downloaded-Packages=false",
];

const LISTS: &str = "/var/lib/apt/lists";
const LOCK_PATIENCE: Duration = Duration::from_mins(10);
const DAY: Duration = Duration::from_hours(24);

/// Returns `apt-get` with these arguments; it is never ended by a timeout, because dpkg must not be.
pub fn apt_get<S: Into<String>>(arguments: impl IntoIterator<Item = S>) -> Command {
    let mut command = quiet(["apt-get"]);
    command.argv.extend(OPTIONS.map(str::to_owned));
    command.argv.extend(arguments.into_iter().map(Into::into));
    command
}

/// Returns a command in whose environment no package asks anything or restarts what it doesn't own.
pub fn quiet<S: Into<String>>(argv: impl IntoIterator<Item = S>) -> Command {
    Command::new(argv)
        .env("DEBIAN_FRONTEND", "noninteractive")
        .env("DEBIAN_PRIORITY", "critical")
        .env("APT_LISTCHANGES_FRONTEND", "none")
        .env("NEEDRESTART_SUSPEND", "1")
        .env("UCF_FORCE_CONFFOLD", "1")
}

/// Returns whether the lists are not there, older than a day, or older than the sources or keys they came from.
pub fn lists_are_stale(sys: &dyn System) -> io::Result<bool> {
    let names = listed(sys, Path::new(LISTS))?;
    let filled = names.iter().any(|name| name.contains("_Packages") || name.ends_with("Release"));
    // apt gives the lists the server's times; what every update touches is the directory of its downloads.
    let updated = sys.lstat(&Path::new(LISTS).join("partial"))?.map(|stat| stat.modified);
    let (true, Some(updated)) = (filled, updated) else { return Ok(true) };
    let aged = sys.now().duration_since(updated).is_ok_and(|age| age > DAY);
    Ok(aged || sources_changed(sys)? > Some(updated))
}

fn sources_changed(sys: &dyn System) -> io::Result<Option<SystemTime>> {
    let mut latest = sys.lstat(Path::new("/etc/apt/sources.list"))?.map(|stat| stat.modified);
    for directory in ["/etc/apt/sources.list.d", "/etc/apt/keyrings", "/etc/apt/trusted.gpg.d"] {
        for name in listed(sys, Path::new(directory))? {
            let stat = sys.lstat(&Path::new(directory).join(name))?;
            latest = latest.max(stat.filter(|stat| stat.kind == FileKind::File).map(|stat| stat.modified));
        }
    }
    Ok(latest)
}

/// Returns the packages that apt-get said it does not know or has no candidate for.
pub fn parse_unknown(output: &str) -> Vec<&str> {
    let quoted = |line: &'_ str| line.split('\'').nth(1).map(str::len);
    let name = |line: &'_ str| -> Option<(usize, usize)> {
        if let Some(rest) = line.strip_prefix("E: Unable to locate package ") {
            return Some((line.len() - rest.len(), rest.trim_end().len()));
        }
        let known = line.starts_with("E: Package '") && line.contains("no installation candidate");
        known.then(|| ("E: Package '".len(), quoted(line).unwrap_or(0)))
    };
    output.lines().filter_map(|line| name(line).map(|(from, length)| &line[from..from + length])).collect()
}

/// Returns whether newer lists may help: a package or version is unknown, or its file is gone from the server.
pub fn may_be_outdated(output: &str) -> bool {
    let signs = ["Unable to locate package", "no installation candidate", "was not found", "404 ", "Unable to fetch"];
    signs.iter().any(|sign| output.contains(sign))
}

/// Returns the packages that `apt-get -s remove` would remove, with the architecture where apt says one.
pub fn parse_removals(output: &str) -> Vec<&str> {
    output.lines().filter_map(|line| line.strip_prefix("Remv ")?.split(' ').next()).collect()
}

/// Returns whether dpkg gave up because another one holds its lock.
pub fn is_locked(output: &str) -> bool {
    output.contains("lock was locked by another process") || output.contains("is locked by another process")
}

/// Installs in one go. Lists that are stale are fetched first; lists that prove to be stale, once.
pub fn install(sys: &dyn System, arguments: &[String], timeout: Duration) -> Result<()> {
    let stale = lists_are_stale(sys).attempt(|| "reading the age of apt's lists".to_owned())?;
    let mut updated = stale.then(|| update(sys, timeout)).transpose()?;
    // What is in the way is a person's to take away.
    let command = apt_get(["install", "--no-remove"].into_iter().chain(arguments.iter().map(String::as_str)));
    let mut output = sys.run(&command)?;
    if output.code != 0 && updated.is_none() && may_be_outdated(&printed(&output)) {
        updated = Some(update(sys, timeout)?);
        output = sys.run(&command)?;
    }
    if output.code == 0 {
        return Ok(());
    }
    let text = printed(&output);
    let attempt = format!("running `apt-get install {}`", arguments.join(" "));
    let mut error = Error::new(attempt).reason(format!("exit {}", output.code)).output(&text);
    for unknown in parse_unknown(&text) {
        error = error.reason(match nearest(sys, unknown) {
            Some(near) => format!("apt knows no package `{unknown}`; did you mean `{near}`?"),
            None => format!("apt knows no package `{unknown}`"),
        });
    }
    if text.contains("remove is disabled") {
        error = error.remedy("another package is in the way: remove it by hand, then run again");
    }
    if let Some(failed) = updated.flatten() {
        error =
            failed.lines().take(5).fold(error, |error, line| error.reason(format!("`apt-get update` said: {line}")));
    }
    Err(error)
}

/// Fetches the lists; returns what it said where it failed. A source that is down need not matter to what is installed.
fn update(sys: &dyn System, timeout: Duration) -> Result<Option<String>> {
    let output = sys.run(&apt_get(["update"]).timeout(timeout))?;
    let text = printed(&output);
    let is_complaint = |line: &&str| line.starts_with("E: ") || line.starts_with("W: ") || line.starts_with("Err:");
    let complaints: Vec<&str> = text.lines().filter(is_complaint).collect();
    Ok((output.code != 0 || !complaints.is_empty()).then(|| complaints.join("\n")))
}

/// Ends what dpkg was interrupted at.
pub fn complete(sys: &dyn System, broken: Vec<String>) -> Result<()> {
    let configure = quiet(["dpkg", "--force-confdef", "--force-confold", "--configure", "-a"]);
    let second = Duration::from_secs(1);
    let mut waited = Duration::ZERO;
    loop {
        let output = sys.run(&configure)?;
        let text = printed(&output);
        if !is_locked(&text) {
            break;
        }
        if waited >= LOCK_PATIENCE {
            return output.success(&configure).map(drop);
        }
        sys.sleep(second);
        waited += second;
    }
    if broken.is_empty() {
        return run(sys, &apt_get(["install", "--fix-broken", "--no-remove"]));
    }
    let again = ["install", "--fix-broken", "--no-remove", "--reinstall"].map(str::to_owned);
    run(sys, &apt_get(again.into_iter().chain(broken)))
}

/// Returns the name that apt knows and that is nearest to one that it doesn't.
fn nearest(sys: &dyn System, name: &str) -> Option<String> {
    let known = sys.run(&Command::new(["apt-cache", "pkgnames"])).ok()?.text();
    let near =
        |known: &&str| known.len().abs_diff(name.len()) <= 2 && known.as_bytes().first() == name.as_bytes().first();
    let candidates: Vec<&str> = known.lines().filter(near).collect();
    similar::get_close_matches(name, &candidates, 1, 0.75).first().map(|near| (*near).to_owned())
}

/// Runs a command that must succeed.
pub fn run(sys: &dyn System, command: &Command) -> Result<()> {
    sys.run(command)?.success(command).map(drop)
}

fn printed(output: &Output) -> String {
    format!("{}\n{}", output.text(), String::from_utf8_lossy(&output.stderr))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn packages_that_apt_does_not_know_are_named() {
        let cases: [(&str, &[&str]); 4] = [
            ("Reading package lists...\nE: Unable to locate package gitt\n", &["gitt"]),
            ("E: Unable to locate package python3.99\nE: Unable to locate package b\n", &["python3.99", "b"]),
            ("E: Package 'telnet-ssl' has no installation candidate\n", &["telnet-ssl"]),
            ("E: Version '99*' for 'git' was not found\n", &[]),
        ];
        for (output, expected) in cases {
            assert_eq!(parse_unknown(output), expected, "{output}");
        }
        assert!(may_be_outdated("E: Version '99*' for 'git' was not found"));
        assert!(!may_be_outdated("E: Sub-process /usr/bin/dpkg returned an error code (1)"));
    }

    #[test]
    fn removals_are_read_from_a_simulation() {
        let output = "The following packages will be REMOVED:\n  git git-man\nRemv git [1:2.39.5-0+deb12u2]\nRemv git-man:amd64 [1]\n";
        assert_eq!(parse_removals(output), ["git", "git-man:amd64"]);
    }

    #[test]
    fn a_locked_dpkg_is_told_from_a_failing_one() {
        assert!(is_locked("dpkg: error: dpkg frontend lock was locked by another process with pid 4711\n"));
        assert!(!is_locked("dpkg: error processing package nginx (--configure):\n"));
    }
}
