//! `~/.ssh/authorized_keys`: at least the keys that a recipe asks for, as sshd(8) has them.
use crate::error::{Attempt as _, Error, Result};
use crate::field::Text;
use crate::system::passwd::User;
use crate::system::{FileKind, NewFile, System};
use std::io;
use std::path::Path;

/// Returns the key itself of a line: its base64 part, whatever options and comment stand around it.
pub(super) fn parse_key(line: &str) -> Option<&str> {
    if line.trim_start().starts_with('#') {
        return None;
    }
    line.split_whitespace().find(|word| word.starts_with("AAAA") && word.len() > 16)
}

/// Returns those of the asked keys that the home lacks.
pub(super) fn missing(home: &Path, asked: &[Text], sys: &dyn System) -> Result<Vec<String>> {
    if asked.is_empty() {
        return Ok(Vec::new());
    }
    let text = read(home, sys)?;
    let has: Vec<&str> = text.lines().filter_map(parse_key).collect();
    let lacks = |key: &&Text| parse_key(key).is_some_and(|key| !has.contains(&key));
    Ok(asked.iter().filter(lacks).map(|key| key.trim().to_owned()).collect())
}

/// Adds keys to those of a user.
pub(super) fn add(user: &User, keys: &[String], sys: &dyn System) -> Result<()> {
    let home = Path::new(&user.home);
    let mut text = read(home, sys)?;
    if !text.is_empty() && !text.ends_with('\n') {
        text.push('\n');
    }
    for key in keys {
        text.push_str(key);
        text.push('\n');
    }
    let directory = home.join(".ssh");
    if sys.lstat(&directory).attempt(|| format!("reading `{}`", directory.display()))?.is_none() {
        sys.make_dir(&directory, user.uid, user.gid, 0o700)?;
    }
    let path = directory.join("authorized_keys");
    let is = sys.lstat(&path).attempt(|| format!("reading `{}`", path.display()))?;
    let mode = is.map_or(0o600, |is| is.mode);
    sys.write(&path, &NewFile { content: text.as_bytes(), uid: user.uid, gid: user.gid, mode }, &|_| Ok(()))
}

/// Returns the text of `authorized_keys`; a link is refused, because it is the user who can put it there.
fn read(home: &Path, sys: &dyn System) -> Result<String> {
    let directory = home.join(".ssh");
    let path = directory.join("authorized_keys");
    for (part, wanted) in [(&directory, FileKind::Directory), (&path, FileKind::File)] {
        let attempt = || format!("reading `{}`", part.display());
        match sys.lstat(part).attempt(attempt)? {
            None => return Ok(String::new()),
            Some(is) if is.kind == wanted => {}
            Some(_) => {
                return Err(Error::new(attempt())
                    .reason("it is a link, or not what it should be, and is not followed")
                    .remedy("remove it, then run again"));
            }
        }
    }
    match sys.read(&path) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(String::new()),
        bytes => Ok(String::from_utf8_lossy(&bytes.attempt(|| format!("reading `{}`", path.display()))?).into_owned()),
    }
}

#[cfg(test)]
mod tests {
    use super::parse_key;

    #[test]
    fn a_key_is_its_base64_part_whatever_stands_around_it() {
        let key = "AAAAC3NzaC1lZDI1NTE5AAAAIE";
        for line in [
            format!("ssh-ed25519 {key}"),
            format!("ssh-ed25519 {key} lilly@laptop"),
            format!("from=\"10.0.0.0/8\",command=\"echo a b\" ssh-ed25519 {key} x"),
        ] {
            assert_eq!(parse_key(&line), Some(key), "{line}");
        }
        for line in ["", "# ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIE", "ssh-ed25519"] {
            assert_eq!(parse_key(line), None, "{line}");
        }
    }
}
