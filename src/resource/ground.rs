//! Where a program of root's may write: where nobody but root could have put a link in its way.
use crate::error::{Attempt as _, Error, Result};
use crate::system::passwd::accounts;
use crate::system::{FileKind, Stat, System};
use std::collections::VecDeque;
use std::ffi::OsString;
use std::path::{Path, PathBuf};

/// As many links as the kernel follows in one path.
const MOST_LINKS: usize = 40;
/// Debian's group for /usr/local and /var/local, whose members are as good as root.
const STAFF: u32 = 50;

/// A directory on the way in which others than root can make entries, and who it belongs to.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Foreign {
    pub(crate) directory: PathBuf,
    pub(crate) owner: String,
}

impl Foreign {
    /// Returns the error of a program of root's that would write below it.
    pub(crate) fn error(&self, program: &str, path: &Path) -> Error {
        Error::new(format!("looking whether root's {program} may write `{}`", path.display())).reason(format!(
            "`{}` belongs to {}, or others may write there: root's {program} would follow a link that they put in its way",
            self.directory.display(),
            self.owner
        ))
    }
}

/// Returns the first directory above `path`, links followed, in which others than root could put a link; what is not there
/// yet is none.
pub(crate) fn foreign_above(sys: &dyn System, path: &Path) -> Result<Option<Foreign>> {
    let mut at = PathBuf::from("/");
    let mut rest: VecDeque<OsString> = parts(path.parent().unwrap_or(path));
    let mut links = 0;
    loop {
        let reading = format!("reading `{}`", at.display());
        let Some(stat) = sys.lstat(&at).attempt(|| reading.clone())? else { return Ok(None) };
        if stat.kind == FileKind::Link {
            links += 1;
            let target = sys.read_link(&at).attempt(|| reading.clone())?;
            at.pop();
            if target.is_absolute() {
                at = PathBuf::from("/");
            }
            for part in parts(&target).into_iter().rev() {
                rest.push_front(part);
            }
            if links > MOST_LINKS {
                return Err(Error::new(reading).reason("it leads through too many links"));
            }
        } else if is_open_to_others(&stat) {
            let owner = accounts(sys)?.shown_user(stat.uid);
            return Ok(Some(Foreign { directory: at, owner }));
        }
        match rest.pop_front() {
            Some(part) if part == ".." => drop(at.pop()),
            Some(part) => at.push(part),
            None => return Ok(None),
        }
    }
}

fn is_open_to_others(stat: &Stat) -> bool {
    let group = stat.mode & 0o020 != 0 && stat.gid != 0 && stat.gid != STAFF;
    let writable = group || stat.mode & 0o002 != 0;
    // In a sticky directory nobody moves what is another's.
    stat.uid != 0 || (writable && stat.mode & 0o1000 == 0)
}

fn parts(path: &Path) -> VecDeque<OsString> {
    use std::path::Component;
    let named = path.components().filter(|part| !matches!(part, Component::CurDir | Component::RootDir));
    named.map(|part| part.as_os_str().to_owned()).collect()
}
