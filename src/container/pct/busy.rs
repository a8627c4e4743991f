//! Who works on containers: calls of `pct`, and tasks of the web interface.
use crate::container::lxc::host::text;
use crate::container::processes::command_lines;
use crate::error::{Attempt as _, Result};
use crate::system::System;
use std::path::Path;

/// What `pct` does with a container that changes nothing of it, or lasts as long as somebody looks.
const LOOKS: [&str; 13] = [
    "config",
    "console",
    "cpusets",
    "df",
    "enter",
    "exec",
    "help",
    "list",
    "listsnapshot",
    "pending",
    "pull",
    "push",
    "status",
];

/// Returns what works on one of these containers, and on which: `pct create 200`.
pub(super) fn at_work(sys: &dyn System, ids: &[u32]) -> Result<Option<(u32, String)>> {
    // A call that begins or copies holds no lock.
    let call = command_lines(sys)?.find_map(|words| ids.iter().find_map(|id| Some((*id, call(&words, *id)?))));
    if call.is_some() {
        return Ok(call);
    }
    let locks = text(sys, "/proc/locks")?.unwrap_or_default();
    for id in ids {
        let path = format!("/run/lock/lxc/pve-config-{id}.lock");
        let Some(stat) = sys.lstat(Path::new(&path)).attempt(|| format!("reading `{path}`"))? else { continue };
        if let Some(pid) = holder(&locks, stat.inode.1) {
            return Ok(Some((*id, format!("process {pid}"))));
        }
    }
    Ok(None)
}

/// Returns the call of `pct` that this command line is, or the task (`task UPID:NODE:…:vzcreate:ID:USER:`), if it changes
/// the container of that id.
fn call(words: &[String], id: u32) -> Option<String> {
    let id = id.to_string();
    if let Some(task) = words.first().and_then(|title| title.strip_prefix("task UPID:")) {
        let mut parts = task.split(':').skip(4);
        let (kind, of) = (parts.next()?, parts.next()?);
        // A backup may take hours.
        let changes = kind == "resize" || (kind.starts_with("vz") && kind != "vzdump");
        return (changes && of == id).then(|| format!("task {kind} {of}"));
    }
    // A script's interpreter and its options come first.
    let tool = words.iter().position(|word| word == "pct" || word.ends_with("/pct"))?;
    let call: Vec<&str> =
        words[tool + 1..].iter().map(String::as_str).take_while(|word| !word.starts_with('-')).collect();
    let (verb, about) = call.split_first()?;
    (!LOOKS.contains(verb) && about.contains(&id.as_str())).then(|| format!("pct {}", call.join(" ").trim_end()))
}

/// Returns the number of the process that has a file of that inode locked by flock(2), in the lines of `/proc/locks` (proc(5)).
fn holder(locks: &str, inode: u64) -> Option<&str> {
    let mut held = locks.lines().filter(|line| line.contains("FLOCK") && !line.contains("->"));
    held.find_map(|line| {
        let words: Vec<&str> = line.split_whitespace().collect();
        let file = words.iter().position(|word| word.matches(':').count() == 2)?;
        let of: u64 = words[file].rsplit(':').next()?.parse().ok()?;
        (of == inode).then(|| words[file - 1])
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_lock_is_known_by_the_inode_of_its_file() {
        let locks = "1: POSIX  ADVISORY  WRITE 812 00:1a:77 0 EOF\n2: FLOCK  ADVISORY  WRITE 4711 00:1a:1234 0 EOF\n\
                     2: -> FLOCK  ADVISORY  WRITE 4712 00:1a:99 0 EOF\n";
        assert_eq!(holder(locks, 1234), Some("4711"));
        assert_eq!((holder(locks, 77), holder(locks, 4711), holder(locks, 99)), (None, None, None));
    }

    #[test]
    fn a_call_is_known_by_its_words() {
        let of = |line: &str, id| call(&line.split(' ').map(str::to_owned).collect::<Vec<_>>(), id);
        let create = "/usr/bin/perl -T /usr/sbin/pct create 200 local:vztmpl/a.tar.zst --cores 2";
        assert_eq!(of(create, 200).as_deref(), Some("pct create 200 local:vztmpl/a.tar.zst"));
        assert_eq!(of(create, 2), None);
        // Both the base and what is cloned from it are locked.
        let clone = "/usr/sbin/pct clone 200 201 --full 1";
        assert_eq!(
            (of(clone, 200), of(clone, 201)),
            (Some("pct clone 200 201".into()), Some("pct clone 200 201".into()))
        );
        assert_eq!(of("/usr/sbin/pct enter 200", 200), None);
        assert_eq!(of("pct", 200), None);
        assert_eq!(of("sh", 200), None);
    }

    #[test]
    fn a_task_of_the_web_interface_is_known_by_its_title() {
        let title = "task UPID:pve9:0001A2B3:00F1E2D3:67000000:vzclone:200:root@pam:".to_owned();
        assert_eq!(call(std::slice::from_ref(&title), 200).as_deref(), Some("task vzclone 200"));
        assert_eq!(call(std::slice::from_ref(&title), 201), None);
        assert_eq!(call(&[title.replace("vzclone", "vzdump")], 200), None);
    }
}
