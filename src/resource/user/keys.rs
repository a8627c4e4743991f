//! `~/.ssh/authorized_keys`: at least the keys that a recipe asks for. It is the user who can put links there, and others
//! who get in where others can write.
use crate::error::{Attempt as _, Error, Result};
use crate::field::SshKey;
use crate::system::passwd::User;
use crate::system::ssh::parse_authorized_key;
use crate::system::{Command, FileKind, NewFile, Stat, System};
use std::io;
use std::path::{Path, PathBuf};
use std::time::Duration;

/// How long the user's own `cat` may take.
const READING: Duration = Duration::from_secs(10);

/// The directory and the file as they are.
#[derive(Debug)]
pub(super) struct Seen {
    path: PathBuf,
    directory: Option<Stat>,
    file: Option<Stat>,
}

impl Seen {
    /// Looks at those below a home; an error where they are links, or belong to nobody of these or to root alone.
    pub(super) fn read(home: &Path, owners: &[u32], sys: &dyn System) -> Result<Self> {
        let directory = home.join(".ssh");
        let path = directory.join("authorized_keys");
        let is = look(&directory, (FileKind::Directory, 0o001), owners, sys)?;
        let file = if is.is_some() { look(&path, (FileKind::File, 0o004), owners, sys)? } else { None };
        Ok(Self { path, directory: is, file })
    }

    /// Returns how many of the asked keys are not there, or with other options.
    pub(super) fn lacking(&self, asked: &[SshKey], sys: &dyn System) -> Result<usize> {
        let bytes = match sys.read(&self.path) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => Vec::new(),
            bytes => bytes.attempt(|| format!("reading `{}`", self.path.display()))?,
        };
        let lines = lines(&bytes);
        Ok(asked.iter().filter(|key| !holds(&lines, key)).count())
    }

    /// Returns what others can write to, and its mode.
    pub(super) fn loose(&self) -> Vec<(&'static str, u32)> {
        let all = [("~/.ssh", self.directory), ("~/.ssh/authorized_keys", self.file)];
        let loose =
            |(path, is): (&'static str, Option<Stat>)| Some((path, is?.mode)).filter(|(_, mode)| mode & 0o022 != 0);
        all.into_iter().filter_map(loose).collect()
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
    let bytes = match seen.file {
        None => Vec::new(),
        Some(is) => read_as(user, &seen.path, is, sys)?,
    };
    let content = merged(&bytes, asked);
    let (uid, gid, mode) = seen.file.map_or((user.uid, user.gid, 0o600), |is| (is.uid, is.gid, is.mode & !0o022));
    if content == bytes && seen.file.is_some_and(|is| is.mode == mode) {
        return Ok(());
    }
    sys.write(&seen.path, &NewFile { content: &content, uid, gid, mode }, &|_| Ok(()))
}

fn look(path: &Path, (kind, others): (FileKind, u32), owners: &[u32], sys: &dyn System) -> Result<Option<Stat>> {
    let attempt = || format!("reading `{}`", path.display());
    let Some(is) = sys.lstat(path).attempt(attempt)? else { return Ok(None) };
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
    Ok(Some(is))
}

/// Reads the file as its user, so that nothing gets into it that this user could not read.
fn read_as(user: &User, path: &Path, is: Stat, sys: &dyn System) -> Result<Vec<u8>> {
    let shown = path.display().to_string();
    let command = Command::new(["cat", &shown]).user(Some(&user.name)).timeout(READING);
    let output = sys.run(&command)?;
    let bytes = output.stdout.clone();
    output.success(&command)?;
    if u64::try_from(bytes.len()) != Ok(is.size) {
        return Err(Error::new(format!("reading `{shown}`"))
            .reason(format!("{} of {} bytes came: it was changed meanwhile, or is too large", bytes.len(), is.size))
            .remedy("run again"));
    }
    Ok(bytes)
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
