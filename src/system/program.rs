//! Programs: the fixed PATH in which their names are looked up.
use super::{FileKind, System};
use std::io;
use std::path::{Path, PathBuf};

/// Where programs are looked up, for every child.
pub const PATH: &str = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin";

/// Returns where a program is, by its name in PATH or by its own path; `None` where it is not.
pub fn program(sys: &dyn System, name: &str) -> io::Result<Option<PathBuf>> {
    let candidates: Vec<PathBuf> = if name.contains('/') {
        vec![Path::new("/").join(name)]
    } else {
        PATH.split(':').map(|directory| Path::new(directory).join(name)).collect()
    };
    for path in candidates {
        let Some(stat) = sys.lstat(&path)? else { continue };
        if stat.kind == FileKind::Link || (stat.kind == FileKind::File && stat.mode & 0o111 != 0) {
            return Ok(Some(path));
        }
    }
    Ok(None)
}
