//! What is done inside a container: a command, a shell, a file copied in or out.
use crate::conf::Conf;
use crate::lock::Says;
use crate::options::take;
use crate::{Done, Refusal, call, lock, refuse, under};
use nix::sched::{CloneFlags, setns};
use nix::unistd::{Gid, Uid, setgid, setuid};
use std::fs::{self, File, Permissions};
use std::io::{self, Read as _, Write as _};
use std::os::unix::fs::{PermissionsExt as _, fchown};
use std::os::unix::process::CommandExt as _;
use std::process::Command;

pub fn exec(id: u32, arguments: &[String]) -> Done {
    let mut arguments = arguments.to_vec();
    let end = arguments.iter().position(|word| word == "--");
    let behind = end.map(|at| arguments.split_off(at)).unwrap_or_default();
    let keep = take(&mut arguments, "--keep-env").is_none_or(|on| on != "0");
    if let Some(option) = arguments.iter().find(|word| word.starts_with('-')) {
        let name = option.trim_start_matches('-');
        return refuse(2, format!("Unknown option: {name}\n400 unable to parse option\n{}", call::usage("exec")));
    }
    arguments.extend(behind.into_iter().skip(1));
    if arguments.is_empty() {
        return refuse(255, "missing command at /usr/share/perl5/PVE/CLI/pct.pm line 239.");
    }
    attach(
        id,
        &[&[if keep { "--keep-env" } else { "--clear-env" }.to_owned(), "--".to_owned()][..], &arguments].concat(),
    )
}

pub fn enter(id: u32) -> Done {
    attach(id, &["--clear-env".to_owned()])
}

fn attach(id: u32, arguments: &[String]) -> Done {
    Conf::read(id)?;
    if !under::runs(id) {
        return refuse(255, format!("container '{id}' not running!"));
    }
    let mut command = Command::new("lxc-attach");
    command.args(["-n", &id.to_string()]).args(arguments).env("PATH", "/sbin:/bin:/usr/sbin:/usr/bin");
    let error = command.exec();
    refuse(255, error.to_string())
}

/// What is asked of the file that is made.
struct Asked {
    perms: Option<String>,
    user: Option<u32>,
    group: Option<u32>,
}

impl Asked {
    fn of(arguments: &mut Vec<String>) -> Result<Self, String> {
        let perms = take(arguments, "--perms");
        let number = |name: Option<String>, file: &str, what: &str| {
            let Some(name) = name else { return Ok(None) };
            let text = fs::read_to_string(file).unwrap_or_default();
            let found =
                text.lines().find_map(|line| line.strip_prefix(&format!("{name}:"))?.split(':').nth(1)?.parse().ok());
            let number = found.or_else(|| name.parse().ok());
            number.map(Some).ok_or_else(|| format!("failed to get {what} for: {name}"))
        };
        let user = number(take(arguments, "--user"), "/etc/passwd", "uid")?;
        let group = number(take(arguments, "--group"), "/etc/group", "gid")?;
        Ok(Self { perms, user, group })
    }

    fn give(&self, file: &File) -> Result<(), String> {
        if let Some(text) = &self.perms {
            let mode = match text.strip_prefix("0x") {
                Some(hex) => u32::from_str_radix(hex, 16),
                None => u32::from_str_radix(text, 8),
            };
            let mode = mode.map_err(|_| format!("invalid mode: '0{text}'"))?;
            file.set_permissions(Permissions::from_mode(mode)).map_err(|error| error.to_string())?;
        }
        // In this order: set-user-id is lost. The owner is the caller, unless named.
        if self.perms.is_some() || self.user.is_some() || self.group.is_some() {
            fchown(file, Some(self.user.unwrap_or(0)), Some(self.group.unwrap_or(0)))
                .map_err(|error| error.to_string())?;
        }
        Ok(())
    }
}

/// Says what failed and succeeds all the same, as the real tool does.
fn nevertheless(done: Result<(), String>) {
    if let Err(why) = done {
        eprintln!("{why}");
    }
}

pub fn push(id: u32, arguments: &[String]) -> Done {
    let (mut arguments, [from, to]) = two(arguments, "push")?;
    if !under::runs(id) {
        return refuse(255, "can only push files to a running CT");
    }
    let _locked = lock::lock(id, Says::Err)?;
    nevertheless((|| {
        let asked = Asked::of(&mut arguments)?;
        let source = File::open(&from).map_err(|_| format!("failed to open {from} for reading"))?;
        into(id)?;
        let target = created(&to)?;
        copied(source, &target);
        asked.give(&target)
    })());
    Ok(())
}

pub fn pull(id: u32, arguments: &[String]) -> Done {
    let (mut arguments, [from, to]) = two(arguments, "pull")?;
    if !under::runs(id) {
        return refuse(255, "can only pull files from a running VM at /usr/share/perl5/PVE/CLI/pct.pm line 657.");
    }
    let _locked = lock::lock(id, Says::Err)?;
    nevertheless((|| {
        let asked = Asked::of(&mut arguments)?;
        let target = created(&to)?;
        asked.give(&target)?;
        into(id)?;
        let source = File::open(&from).map_err(|error| format!("failed to open {from}: {}", words(&error)))?;
        copied(source, &target);
        Ok(())
    })());
    Ok(())
}

fn two(arguments: &[String], command: &str) -> Result<(Vec<String>, [String; 2]), Refusal> {
    match arguments {
        [from, to, rest @ ..] => Ok((rest.to_vec(), [from.clone(), to.clone()])),
        _ => refuse(2, format!("400 not enough arguments\n{}", call::usage(command))),
    }
}

/// Goes into the container, for the rest of this call.
fn into(id: u32) -> Result<(), String> {
    let pid = under::first_process(id).ok_or("it does not run")?;
    let namespace = |kind: &str| File::open(format!("/proc/{pid}/ns/{kind}")).map_err(|error| error.to_string());
    let (user, mount) = (namespace("user")?, namespace("mnt")?);
    let ours = fs::read_link("/proc/self/ns/user").ok();
    if fs::read_link(format!("/proc/{pid}/ns/user")).ok() != ours {
        setns(&user, CloneFlags::CLONE_NEWUSER).map_err(|error| error.to_string())?;
    }
    setns(&mount, CloneFlags::CLONE_NEWNS).map_err(|error| error.to_string())?;
    setgid(Gid::from_raw(0)).and_then(|()| setuid(Uid::from_raw(0))).map_err(|error| error.to_string())?;
    std::env::set_current_dir("/").map_err(|error| error.to_string())
}

fn created(path: &str) -> Result<File, String> {
    let failed = |error: io::Error| format!("failed to create file: {path}: {}", words(&error));
    File::options().write(true).create(true).truncate(true).open(path).map_err(failed)
}

/// What does not fit is left out without a word.
fn copied(mut from: File, mut to: &File) {
    let mut buffer = vec![0; 1 << 16];
    while let Ok(count @ 1..) = from.read(&mut buffer) {
        if to.write_all(&buffer[..count]).is_err() {
            return;
        }
    }
}

fn words(error: &io::Error) -> String {
    let text = error.to_string();
    text.split(" (os error").next().unwrap_or_default().to_owned()
}
