//! Who works on containers of plain LXC: what unpacks, copies or shuts down, which a killed run may have left at work.
use super::rootfs_path;
use crate::container::processes::command_lines;
use crate::error::Result;
use crate::system::System;
use std::path::Path;

/// Returns what works on one of these containers, and on which: `tar`.
pub(super) fn at_work(sys: &dyn System, ids: &[u32]) -> Result<Option<(u32, String)>> {
    Ok(command_lines(sys)?.find_map(|words| ids.iter().find_map(|id| Some((*id, call(&words, *id)?)))))
}

/// Returns the program whose command line this is, if it changes that container.
fn call(words: &[String], id: u32) -> Option<String> {
    let program = Path::new(words.first()?).file_name()?.to_string_lossy().into_owned();
    let rootfs = rootfs_path(id);
    let in_its_files = words.contains(&rootfs);
    let stops_it = program == "lxc-stop" && words.contains(&id.to_string());
    (in_its_files || stops_it).then_some(program)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_works_on_a_container_is_known_by_its_words() {
        let of = |line: &str, id| call(&line.split(' ').map(str::to_owned).collect::<Vec<_>>(), id);
        assert_eq!(of("tar -xpf - -C /var/lib/lxc/201/rootfs --zstd", 201).as_deref(), Some("tar"));
        assert_eq!(of("tar -xpf - -C /var/lib/lxc/201/rootfs --zstd", 20), None);
        assert_eq!(of("/usr/bin/lxc-stop -P /var/lib/lxc -n 201 -t 60", 201).as_deref(), Some("lxc-stop"));
        assert_eq!(of("[lxc monitor] /var/lib/lxc 201", 201), None);
        assert_eq!(of("lxc-attach -P /var/lib/lxc -n 201 -- bash", 201), None);
    }
}
