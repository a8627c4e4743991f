//! What a file should hold: bytes at hand, bytes behind a URL, or a secret that is not at hand.
use super::File;
use crate::error::{Error, Result};
use crate::field::{AbsPath, Mode};
use crate::resource::{Ask, Change, diff};
use crate::system::fingerprint::sha256;
use crate::system::{Body, Captured, Command, Fetch, FileKind, NewFile, Stat, System, without_login};
use std::borrow::Cow;
use std::path::Path;
use std::time::Duration;

/// Larger downloads are refused.
const MOST_FETCHED: u64 = 2 << 30;
/// Larger files are not read to say what they are.
const MOST_READ: u64 = 64 << 20;

/// What a file should hold.
#[derive(Debug)]
pub(super) enum Content<'b> {
    /// These bytes.
    Bytes { bytes: &'b [u8], secret: bool },
    /// What this URL gives, with this SHA-256.
    Url { url: &'b str, sha256: &'b str },
    /// A secret that is not at hand.
    Unknown,
}

/// Keeps a copy of what stands at a path.
pub(super) type Keep = fn(&Path, &dyn System) -> Result<()>;

impl File {
    /// Returns what the file should hold; `None` where the recipe does not say, or asks for a link.
    pub(super) fn asked<'b>(&'b self, ask: &Ask<'b>) -> Result<Option<Content<'b>>> {
        if ask.is_unknown("content") || ask.is_unknown("source") {
            return Ok(Some(Content::Unknown));
        }
        if let Some(content) = &self.content {
            return Ok(Some(Content::Bytes { bytes: content.as_bytes(), secret: ask.is_secret("content") }));
        }
        if let Some(source) = &self.source {
            let missing =
                || Error::new(format!("reading the source `{source}`")).reason("its bytes did not come along");
            let bytes = ask.source.ok_or_else(missing)?;
            return Ok(Some(Content::Bytes { bytes, secret: ask.is_secret("source") }));
        }
        match (&self.url, &self.sha256) {
            (Some(url), Some(sha256)) => Ok(Some(Content::Url { url, sha256: &sha256.0 })),
            _ => Ok(None),
        }
    }

    /// Writes what was drafted, once its validator accepts it. `keep` keeps a copy of what stands there, which is not
    /// made before the new file is accepted, so that it is what the new one takes the place of.
    pub(super) fn write(&self, draft: &Draft, mode: Mode, keep: Option<Keep>, sys: &dyn System) -> Result<()> {
        let bytes = draft.bytes(self.path.path(), sys)?;
        let (uid, gid) = self.ownership().now(sys)?;
        let approve = |candidate: &Path| {
            self.accepts(candidate, draft.timeout, sys)?;
            keep.map_or(Ok(()), |keep| keep(self.path.path(), sys))
        };
        sys.write(self.path.path(), &NewFile { content: &bytes, uid, gid, mode: mode.0 }, &approve)
    }

    fn accepts(&self, candidate: &Path, timeout: Duration, sys: &dyn System) -> Result<()> {
        if self.validate.is_empty() {
            return Ok(());
        }
        let argv = self.validate.iter().map(|argument| argument.0.clone());
        let command = Command::new(argv.chain([candidate.to_string_lossy().into_owned()])).timeout(timeout);
        let checked = sys.run(&command)?.success(&command);
        checked.map(drop).map_err(|error| error.remedy("nothing was put in place: correct the content, then run again"))
    }
}

impl Content<'_> {
    /// Returns whether the file holds it; `there` are its bytes where its size fits.
    pub(super) fn is_in(&self, path: &AbsPath, there: Option<&[u8]>, sys: &dyn System) -> Result<bool> {
        Ok(match self {
            Self::Bytes { bytes, .. } => there == Some(*bytes),
            Self::Url { sha256, .. } => {
                let there = sys.capture(path.path())?.map(|there| there.body);
                matches!(there, Some(Body::File(bytes)) if self::sha256(&bytes) == *sha256)
            }
            Self::Unknown => false,
        })
    }

    pub(super) fn is_unknown(&self) -> bool {
        matches!(self, Self::Unknown)
    }

    /// Returns what it is, for people and for the ledger, which tells by it what we wrote.
    fn shown(&self, ask: &Ask<'_>) -> String {
        match self {
            Self::Bytes { bytes, secret: false } => ask.digest(bytes),
            Self::Bytes { bytes, secret: true } => format!("(secret) {}", ask.digest(bytes)),
            Self::Url { url, sha256 } => format!("{} sha256 {sha256}", without_login(url)),
            Self::Unknown => "(secret, not known yet)".to_owned(),
        }
    }

    /// Returns the change that makes the file.
    pub(super) fn made(&self, path: &AbsPath, ask: &Ask<'_>) -> Change {
        let change = Change::made(&path.0, format!("file, {}", self.shown(ask)));
        match self {
            Self::Bytes { bytes, secret: false } => change.diff(diff::unified(b"", bytes)),
            _ => change,
        }
    }

    /// Returns the change of what is there.
    pub(super) fn changed(&self, path: &AbsPath, is: Stat, ask: &Ask<'_>, sys: &dyn System) -> Result<Change> {
        let is_too_large = is.kind == FileKind::File && is.size > MOST_READ;
        let there = if is_too_large { None } else { sys.capture(path.path())? };
        let (from, difference) = match there.map(|there| there.body) {
            Some(Body::Link(target)) => (format!("a link to {}", target.display()), None),
            Some(Body::File(old)) => {
                let digest = ask.digest(&old);
                match self {
                    _ if was_secret(path, ask) => (format!("(secret) {digest}"), None),
                    Self::Bytes { bytes, secret: false } => (digest, diff::unified(&old, bytes)),
                    Self::Url { .. } => (digest, None),
                    Self::Bytes { secret: true, .. } | Self::Unknown => (format!("(secret) {digest}"), None),
                }
            }
            _ => (format!("{} B", is.size), None),
        };
        Ok(Change::field(&path.0, "content", Some(from), Some(self.shown(ask))).diff(difference))
    }

    /// Returns what is needed to write it later.
    pub(super) fn into_draft(self, timeout: Duration) -> Draft {
        let source = match self {
            Self::Bytes { bytes, .. } => Source::Bytes(bytes.to_vec()),
            Self::Url { url, sha256 } => Source::Url { url: url.to_owned(), sha256: sha256.to_owned() },
            Self::Unknown => Source::Unknown,
        };
        Draft { source, timeout }
    }
}

/// Content that is to be written.
#[derive(Debug)]
pub(super) struct Draft {
    source: Source,
    /// How long a download or a validation may take.
    timeout: Duration,
}

#[derive(Debug)]
enum Source {
    Bytes(Vec<u8>),
    Url { url: String, sha256: String },
    Unknown,
}

impl Draft {
    /// Returns the bytes; where they are behind a URL those of the file that is there if its digest is right, else fetched.
    fn bytes(&self, path: &Path, sys: &dyn System) -> Result<Cow<'_, [u8]>> {
        let (url, sha256) = match &self.source {
            Source::Bytes(bytes) => return Ok(bytes.into()),
            Source::Url { url, sha256 } => (url, sha256),
            Source::Unknown => return Err(Error::new("writing a secret").reason("it is not at hand")),
        };
        if let Some(Captured { body: Body::File(bytes), .. }) = sys.capture(path)?
            && self::sha256(&bytes) == *sha256
        {
            return Ok(bytes.into());
        }
        let attempt = || Error::new(format!("fetching `{}`", without_login(url)));
        let fetched =
            sys.fetch(&Fetch { url, timeout: self.timeout, limit: MOST_FETCHED, whole: true, follow: true })?;
        if fetched.status != 200 {
            return Err(attempt().reason(format!("the server answered {}", fetched.status)));
        }
        let found = self::sha256(&fetched.body);
        if found != *sha256 {
            return Err(attempt()
                .reason(format!("its sha256 is {found}"))
                .reason(format!("the recipe says {sha256}"))
                .remedy("if the new content is what you want, change `sha256`"));
        }
        Ok(fetched.body.into())
    }
}

/// Returns whether what we last wrote there was secret, whatever the recipe says of it by now.
fn was_secret(path: &AbsPath, ask: &Ask<'_>) -> bool {
    let wrote = ask.claim(&path.0).into_iter().flat_map(|claim| &claim.last);
    wrote.filter(|(field, _)| field.is_empty() || *field == "content").any(|(_, to)| to.contains("(secret"))
}
