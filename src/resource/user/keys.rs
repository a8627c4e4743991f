//! `~/.ssh/authorized_keys`: at least the keys that a recipe asks for. It is the user who can put links there, and others
//! who get in where others can write.
use crate::error::{Attempt as _, Error, Result};
use crate::field::SshKey;
use crate::system::passwd::User;
use crate::system::ssh::parse_authorized_key;
use crate::system::{Body, FileKind, NewFile, Stat, System};
use std::path::{Path, PathBuf};

/// The directory and the file as they are.
#[derive(Debug)]
pub(super) struct Seen {
    path: PathBuf,
    directory: Option<Stat>,
    file: Option<(Stat, Vec<u8>)>,
}

impl Seen {
    /// Looks at those below a home; an error where they are links, or belong to nobody of these or to root alone.
    pub(super) fn read(home: &Path, owners: &[u32], sys: &dyn System) -> Result<Self> {
        let directory = home.join(".ssh");
        let path = directory.join("authorized_keys");
        let mut seen = Self { path, directory: None, file: None };
        let Some(found) = sys.lstat(&directory).attempt(|| format!("reading `{}`", directory.display()))? else {
            return Ok(seen);
        };
        usable(&directory, &found, (FileKind::Directory, 0o001), owners)?;
        seen.directory = Some(found);
        if let Some(found) = sys.capture(&seen.path)? {
            usable(&seen.path, &found.stat, (FileKind::File, 0o004), owners)?;
            seen.file = if let Body::File(bytes) = found.body { Some((found.stat, bytes)) } else { None };
        }
        Ok(seen)
    }

    fn bytes(&self) -> &[u8] {
        self.file.as_ref().map_or(&[], |(_, bytes)| bytes)
    }

    /// Returns how many of the asked keys are not there, or with other options.
    pub(super) fn lacking(&self, asked: &[SshKey]) -> usize {
        let lines = lines(self.bytes());
        asked.iter().filter(|key| !holds(&lines, key)).count()
    }

    /// Returns what others can write to, and its mode.
    pub(super) fn loose(&self) -> Vec<(&'static str, u32)> {
        let file = self.file.as_ref().map(|(is, _)| is.mode);
        let all = [("~/.ssh", self.directory.map(|is| is.mode)), ("~/.ssh/authorized_keys", file)];
        all.into_iter().filter_map(|(path, mode)| Some((path, mode.filter(|mode| mode & 0o022 != 0)?))).collect()
    }
}

/// Puts keys in place, beside those that are there.
pub(super) fn put(user: &User, asked: &[SshKey], sys: &dyn System) -> Result<()> {
    let home = Path::new(&user.home);
    let seen = Seen::read(home, &[user.uid], sys)?;
    let directory = home.join(".ssh");
    match seen.directory {
        None => sys.make_dir(&directory, user.uid, user.gid, 0o700)?,
        Some(is) if is.mode & 0o022 != 0 => sys.chmod(&directory, is.mode & !0o022)?,
        Some(_) => {}
    }
    let content = merged(seen.bytes(), asked);
    let is = seen.file.as_ref().map(|(is, _)| *is);
    let (uid, gid, mode) = is.map_or((user.uid, user.gid, 0o600), |is| (is.uid, is.gid, is.mode & !0o022));
    if content == seen.bytes() && is.is_some_and(|is| is.mode == mode) {
        return Ok(());
    }
    sys.write(&seen.path, &NewFile { content: &content, uid, gid, mode }, &|_| Ok(()))
}

/// Fails where sshd would not take it, or where it is no honest file.
fn usable(path: &Path, is: &Stat, (kind, others): (FileKind, u32), owners: &[u32]) -> Result<()> {
    let attempt = || format!("reading `{}`", path.display());
    if is.kind != kind {
        return Err(Error::new(attempt())
            .reason("it is a link, or not what it should be, and is not followed")
            .remedy("remove it, then run again"));
    }
    // sshd takes root's as well, where the user can read it.
    let is_readable = owners.contains(&is.uid) || (is.uid == 0 && is.mode & others == others);
    if !is_readable {
        return Err(Error::new(attempt())
            .reason(format!("it belongs to uid {}, so nobody could log in with the keys in it", is.uid))
            .remedy("give it to its user, or remove it, then run again"));
    }
    Ok(())
}

/// Returns the lines as text; what is not UTF-8 can only be part of a comment.
fn lines(bytes: &[u8]) -> Vec<String> {
    bytes.split(|byte| *byte == b'\n').map(|line| String::from_utf8_lossy(line).into_owned()).collect()
}

/// The first line with a key is the one that counts for sshd.
fn position(lines: &[String], asked: &SshKey) -> Option<usize> {
    let key = asked.parsed()?.key;
    lines.iter().position(|line| parse_authorized_key(line).is_some_and(|is| is.key == key))
}

fn holds(lines: &[String], asked: &SshKey) -> bool {
    let is = position(lines, asked).and_then(|at| parse_authorized_key(&lines[at]));
    is.is_some() && is == asked.parsed()
}

/// Returns the content with all asked keys: a line with other options is replaced, others stay byte for byte.
fn merged(bytes: &[u8], asked: &[SshKey]) -> Vec<u8> {
    let mut content: Vec<Vec<u8>> = bytes.split(|byte| *byte == b'\n').map(<[u8]>::to_vec).collect();
    // Behind the last end of a line there is nothing.
    if content.last().is_some_and(Vec::is_empty) {
        content.pop();
    }
    for key in asked {
        let lines = lines(bytes);
        match position(&lines, key) {
            Some(_) if holds(&lines, key) => {}
            Some(at) => content[at] = key.line().into(),
            None => content.push(key.line().into()),
        }
    }
    content.iter().flat_map(|line| line.iter().chain(b"\n")).copied().collect()
}

#[cfg(test)]
mod tests {
    use super::{holds, lines, merged};
    use crate::field::{Field as _, SshKey};

    const ED: &str = "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIE";
    const RSA: &str = "ssh-rsa AAAAB3NzaC1yc2EAAAADAQABAAABgQ";

    fn key(line: &str) -> SshKey {
        SshKey::from_text(line).unwrap()
    }

    #[test]
    fn keys_of_others_and_comments_stay_byte_for_byte() {
        let before = format!("# mine\r\n{RSA} \u{e9}").into_bytes().into_iter().chain([0xff]).collect::<Vec<u8>>();
        let after = [&before[..], b"\n", ED.as_bytes(), b" me\n"].concat();
        assert_eq!(merged(&before, &[key(&format!("{ED} me"))]), after);
        assert_eq!(merged(&after, &[key(&format!("{ED} other comment"))]), after, "a comment is no difference");
        assert_eq!(merged(b"", &[key(ED)]), format!("{ED}\n").into_bytes());
    }

    #[test]
    fn a_key_counts_with_the_options_that_are_asked() {
        let restricted = format!("from=\"10.0.0.0/8\",no-pty {ED}");
        for (is, asked) in [(format!("{ED} me"), restricted.clone()), (restricted, format!("{ED} me"))] {
            let text = format!("{RSA}\n{is}\n");
            assert!(!holds(&lines(text.as_bytes()), &key(&asked)));
            assert_eq!(merged(text.as_bytes(), &[key(&asked)]), format!("{RSA}\n{asked}\n").into_bytes());
        }
    }
}
