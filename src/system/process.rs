//! Who runs: processes by their user, from /proc/PID/status as proc(5) has it.
use super::System;
use std::path::Path;

/// A process.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Process {
    /// Its number.
    pub pid: u32,
    /// Its program's name, at most 15 bytes.
    pub name: String,
}

/// Returns name and uids (real, effective, saved, file system) of a status file.
pub fn parse_status(text: &str) -> Option<(&str, Vec<u32>)> {
    let field = |name: &str| text.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(':'));
    let uids = field("Uid")?.split_whitespace().map(|uid| uid.parse().ok()).collect::<Option<_>>()?;
    Some((field("Name")?.trim(), uids))
}

/// Returns the name of a process; `None` where there is no such process.
pub fn name_of(sys: &dyn System, pid: u32) -> Option<String> {
    let status = sys.read(Path::new(&format!("/proc/{pid}/status"))).ok()?;
    parse_status(&String::from_utf8_lossy(&status)).map(|(name, _)| name.to_owned())
}

/// Returns the processes that run as a user; those that end meanwhile are passed over.
pub fn running_as(sys: &dyn System, uid: u32) -> Vec<Process> {
    let names = sys.list(Path::new("/proc")).unwrap_or_default();
    let pids = names.iter().filter_map(|name| name.to_str()?.parse::<u32>().ok());
    let process = |pid: u32| {
        let status = sys.read(Path::new(&format!("/proc/{pid}/status"))).ok()?;
        let status = String::from_utf8_lossy(&status).into_owned();
        let (name, uids) = parse_status(&status)?;
        uids.contains(&uid).then(|| Process { pid, name: name.to_owned() })
    };
    pids.filter_map(process).collect()
}

#[cfg(test)]
mod tests {
    use super::parse_status;

    #[test]
    fn a_status_has_a_name_and_four_uids() {
        let text = "Name:\tsleep\nUmask:\t0022\nUid:\t1201\t1201\t0\t1201\nGid:\t5\t5\t5\t5\n";
        assert_eq!(parse_status(text), Some(("sleep", vec![1201, 1201, 0, 1201])));
        assert_eq!(parse_status("Name:\tsleep\n"), None);
    }
}
