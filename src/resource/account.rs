//! What user and group share: the tools of shadow, which lock the files of accounts, and what a killed one leaves behind.
use super::{Ask, Change, Plan, Step, Thing, Waiting};
use crate::error::{Attempt as _, Result};
use crate::system::passwd::{Accounts, foreign_group, foreign_user, gshadow};
use crate::system::process::name_of;
use crate::system::{Command, System};
use std::io;
use std::path::{Path, PathBuf};
use std::time::Duration;

const DIRECTORY: &str = "/etc";
const FILES: [&str; 6] = ["passwd", "shadow", "group", "gshadow", "subuid", "subgid"];
/// How often another tool that is at work is waited for, a second each time.
const PATIENCE: u32 = 15;
/// How often nobody may be found to hold a lock that was not had: whoever held it may have ended since.
const UNHELD: u32 = 2;

/// Runs a tool. Where another one holds a lock it waits for it, and then says who that is.
pub(super) fn run(command: &Command, sys: &dyn System) -> Result<()> {
    let (mut waited, mut unheld) = (0, 0);
    loop {
        let output = sys.run(command)?;
        let is_locked = output.code != 0 && String::from_utf8_lossy(&output.stderr).contains("cannot lock");
        let holder = if is_locked { holder(sys)? } else { None };
        if is_locked && waited < PATIENCE && unheld < UNHELD {
            unheld += u32::from(holder.is_none());
            waited += 1;
            sys.sleep(Duration::from_secs(1));
            continue;
        }
        return output.success(command).map(drop).map_err(|error| match holder {
            None if is_locked => error
                .reason("nobody holds that lock, so it could not be made")
                .otherwise("see to it that `/etc` can be written, then run again"),
            None => error,
            Some((lock, who)) => {
                let lock = lock.display();
                error.reason(format!("`{lock}` is held by process {who}")).remedy(format!(
                    "run again once that has ended; where that has nothing to do with accounts, remove `{lock}`"
                ))
            }
        });
    }
}

/// Returns what gives a group the entry in gshadow(5) that a killed tool left out; `None` where nothing is missing.
pub(super) fn missing_entry(group: &str, timeout: Duration, sys: &dyn System) -> Result<Option<Command>> {
    let entries = gshadow(sys)?;
    let missing = !entries.is_empty() && !entries.contains_key(group);
    Ok(missing.then(|| Command::new(["groupmod", "--password", "!", group]).timeout(timeout)))
}

/// Plans to sweep what a killed tool left: its locks can stop the next one, its drafts hold hashes of passwords.
pub(super) fn sweep(name: &str, plan: &mut Plan<'_>, sys: &dyn System) -> Result<()> {
    let left = sys.facts().get("account leftovers", || leftovers(sys))?;
    if left.is_empty() {
        return Ok(());
    }
    let paths: Vec<String> = left.iter().map(|path| path.display().to_string()).collect();
    let change = Change::field(name, "left by a killed program", Some(paths.join(", ")), None);
    let sweep = |sys: &dyn System| leftovers(sys)?.iter().try_for_each(|path| sys.remove_file(path));
    plan.steps.insert(0, Step::new(vec![change], sweep));
    Ok(())
}

/// Returns what a new account waits for, where one that this recipe made and no longer has is in the way: it has the number.
pub(super) fn predecessor(name: &str, number: &str, other: &str, thing: Thing, ask: &Ask<'_>) -> Option<Waiting> {
    let is_left = ask.ours(other) && !ask.peers.iter().any(|peer| peer.name == other);
    is_left.then(|| Waiting {
        name: name.to_owned(),
        because: format!("{number} is still that of {}, which this recipe made and no longer has", ask.id(other)),
        remedy: Some("run again with `--prune`, which takes that away, and then once more".to_owned()),
        supplies: vec![thing],
    })
}

/// Returns the name by which the name service knows a user or its number, where it is not in the files.
pub(super) fn foreign_user_name(who: &str, accounts: &Accounts, sys: &dyn System) -> Result<Option<String>> {
    let found = foreign_user(sys, who)?.map(|user| user.name);
    Ok(found.filter(|name| accounts.user(name).is_none()))
}

/// Returns the name by which the name service knows a group or its number, where it is not in the files.
pub(super) fn foreign_group_name(who: &str, accounts: &Accounts, sys: &dyn System) -> Result<Option<String>> {
    let found = foreign_group(sys, who)?.map(|group| group.name);
    Ok(found.filter(|name| accounts.group(name).is_none()))
}

/// Returns a lock that a living process holds, and that process for people.
fn holder(sys: &dyn System) -> Result<Option<(PathBuf, String)>> {
    let shown = |pid: u32| name_of(sys, pid).map_or_else(|| pid.to_string(), |name| format!("{pid} {name}"));
    for file in FILES {
        if let Lock::Held(pid) = lock_of(file, sys)? {
            return Ok(Some((lock_path(file), shown(pid))));
        }
    }
    // lckpwdf(3), which others hold as well.
    let path = Path::new(DIRECTORY).join(".pwd.lock");
    let pid = sys.lock_holder(&path).attempt(|| format!("looking at `{}`", path.display()))?;
    Ok(pid.map(|pid| (path, shown(pid))))
}

/// Returns the locks and drafts of tools that run no more.
fn leftovers(sys: &dyn System) -> Result<Vec<PathBuf>> {
    let names = match sys.list(Path::new(DIRECTORY)) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Vec::new()),
        names => names.attempt(|| format!("reading `{DIRECTORY}`"))?,
    };
    let mut left = Vec::new();
    for name in names.iter().filter_map(|name| name.to_str()) {
        let Some((file, what)) = name.split_at_checked(name.find(['.', '+']).unwrap_or(name.len())) else { continue };
        if !FILES.contains(&file) {
            continue;
        }
        let is_left = match what {
            ".lock" => matches!(lock_of(file, sys)?, Lock::Left),
            "+" => !matches!(lock_of(file, sys)?, Lock::Held(_)),
            _ => what.strip_prefix('.').and_then(|pid| pid.parse().ok()).is_some_and(|pid| name_of(sys, pid).is_none()),
        };
        let path = Path::new(DIRECTORY).join(name);
        // A tool that ends meanwhile takes its own away first.
        if is_left && sys.lstat(&path).attempt(|| format!("reading `{}`", path.display()))?.is_some() {
            left.push(path);
        }
    }
    Ok(left)
}

/// A lock of one of the files: a file beside it with the number of the process that holds it.
enum Lock {
    Free,
    Held(u32),
    Left,
}

fn lock_of(file: &str, sys: &dyn System) -> Result<Lock> {
    let path = lock_path(file);
    let bytes = match sys.read(&path) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Lock::Free),
        bytes => bytes.attempt(|| format!("reading `{}`", path.display()))?,
    };
    let pid = String::from_utf8_lossy(&bytes).trim_matches(['\0', '\n', ' ']).parse().ok();
    Ok(pid.filter(|pid| name_of(sys, *pid).is_some()).map_or(Lock::Left, Lock::Held))
}

fn lock_path(file: &str) -> PathBuf {
    Path::new(DIRECTORY).join(format!("{file}.lock"))
}
