//! ACL and extended attributes: what of them a file hands on to the one that takes its place, see acl(5) and xattr(7).
use crate::error::{Attempt as _, Result};
use rustix::buffer::spare_capacity;
use rustix::fs::{XattrFlags, fgetxattr, flistxattr, fremovexattr, fsetxattr};
use rustix::io::Errno;
use std::ffi::{CStr, CString};
use std::os::fd::{AsFd, BorrowedFd};

const ACL: &CStr = c"system.posix_acl_access";
const CAPABILITIES: &CStr = c"security.capability";

/// The attributes of a file that another may have.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct Attributes(Vec<(CString, Vec<u8>)>);

impl Attributes {
    /// Returns those of an open file for one with other content: capabilities and signatures are bound to that and stay behind.
    pub(super) fn of(file: impl AsFd) -> Result<Self> {
        Self::read(file, is_handed_on)
    }

    /// Returns those for a copy.
    pub(super) fn for_copy_of(file: impl AsFd) -> Result<Self> {
        Self::read(file, |name| is_handed_on(name) || name == CAPABILITIES)
    }

    fn read(file: impl AsFd, is_wanted: fn(&CStr) -> bool) -> Result<Self> {
        let attempt = || "reading its extended attributes".to_owned();
        let list = match grown(|list| flistxattr(file.as_fd(), spare_capacity(list))) {
            Err(Errno::NOTSUP) => return Ok(Self::default()),
            list => list.attempt(attempt)?,
        };
        let names = list.split_inclusive(|byte| *byte == 0).filter_map(|name| CStr::from_bytes_with_nul(name).ok());
        let mut all = Vec::new();
        for name in names.filter(|name| is_wanted(name)) {
            if let Some(value) = value(file.as_fd(), name).attempt(attempt)? {
                all.push((name.to_owned(), value));
            }
        }
        Ok(Self(all))
    }

    /// Gives them to a new file, and takes away the ACL that it has from its directory where there is none among them.
    pub(super) fn give(&self, file: impl AsFd) -> Result<()> {
        let named = |name: &CStr| format!("keeping its attribute `{}`", name.to_string_lossy());
        if self.0.iter().all(|(name, _)| name.as_c_str() != ACL) {
            match fremovexattr(file.as_fd(), ACL) {
                Err(Errno::NODATA | Errno::NOTSUP) => {}
                removed => removed.attempt(|| "removing the ACL of its directory".to_owned())?,
            }
        }
        for (name, wanted) in &self.0 {
            // To set a label again that it already has may be forbidden.
            if value(file.as_fd(), name).attempt(|| named(name))?.as_ref() != Some(wanted) {
                fsetxattr(file.as_fd(), name.as_c_str(), wanted, XattrFlags::empty()).attempt(|| named(name))?;
            }
        }
        Ok(())
    }
}

fn is_handed_on(name: &CStr) -> bool {
    let labels = [ACL, c"security.selinux", c"security.SMACK64"];
    labels.contains(&name) || name.to_bytes().starts_with(b"user.")
}

fn value(file: BorrowedFd<'_>, name: &CStr) -> Result<Option<Vec<u8>>, Errno> {
    match grown(|value| fgetxattr(file, name, spare_capacity(value))) {
        Ok(value) => Ok(Some(value)),
        Err(Errno::NODATA | Errno::NOTSUP) => Ok(None),
        Err(errno) => Err(errno),
    }
}

/// Reads into a buffer that is made larger until all fits.
fn grown(read: impl Fn(&mut Vec<u8>) -> Result<usize, Errno>) -> Result<Vec<u8>, Errno> {
    let mut size = 256;
    loop {
        let mut bytes = Vec::with_capacity(size);
        match read(&mut bytes) {
            Err(Errno::RANGE) if size < 1 << 20 => size *= 8,
            read => return read.map(|_| bytes),
        }
    }
}
