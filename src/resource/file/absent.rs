//! Taking a file away: only what we wrote; what stood there before us is put back.
use super::File;
use crate::error::Result;
use crate::resource::{Ask, Change, Plan, Remark, Step, kept};
use crate::system::fingerprint::sha256;
use crate::system::{Body, FileKind, Stat, System};

impl File {
    pub(super) fn check_absent<'a>(&'a self, is: Option<Stat>, ask: &Ask<'_>, sys: &dyn System) -> Result<Plan<'a>> {
        let path = self.path.path();
        let kept = kept::copy_of(path, sys)?;
        let stays = |text: String| {
            let remark = Remark { name: self.path.0.clone(), text };
            Ok(Plan { remarks: vec![remark], ..Plan::default() })
        };
        let from = match is {
            None => None,
            Some(is) if (kept.is_some() || ask.ours(&self.path.0)) && self.is_what_we_wrote(ask, sys)? => {
                Some(shown(is))
            }
            Some(is) => match &kept {
                // Its content was as asked before us, or a restoration was killed before it had dropped the copy.
                Some((copy, _)) if kept::same_content(path, copy, sys)? => Some(shown(is)),
                Some((copy, _)) => {
                    let copy = copy.display();
                    return stays(format!("kept: changed since we wrote it; what was there before us is in `{copy}`"));
                }
                None if ask.ours(&self.path.0) => return stays("kept: changed since we wrote it".to_owned()),
                None => return stays("kept: it was there before us".to_owned()),
            },
        };
        match (kept, from) {
            (None, None) => Ok(Plan::in_sync()),
            (Some(_), from) => {
                let change = Change::field(&self.path.0, "content", from, Some("as it was before us".to_owned()));
                Ok(Plan::step(Step::new(vec![change], move |sys| kept::restore(path, sys)).supplies([self.thing()])))
            }
            (None, Some(from)) => {
                let change = Change::removed(&self.path.0, from);
                Ok(Plan::step(Step::new(vec![change], move |sys| sys.remove_file(path)).supplies([self.thing()])))
            }
        }
    }

    /// Returns whether we made it, or keep what was there before us.
    pub(super) fn is_ours(&self, ask: &Ask<'_>, sys: &dyn System) -> Result<bool> {
        Ok(ask.ours(&self.path.0) || kept::copy_of(self.path.path(), sys)?.is_some())
    }

    /// Returns whether what stands there is what our last change put there.
    fn is_what_we_wrote(&self, ask: &Ask<'_>, sys: &dyn System) -> Result<bool> {
        let path = self.path.path();
        let Some(claim) = ask.claim(&self.path.0) else { return Ok(false) };
        let wrote = ["", "content", "link"].map(|field| claim.last.get(field).map_or("", String::as_str));
        Ok(match sys.capture(path)?.map(|there| there.body) {
            Some(Body::Link(target)) => {
                let target = target.to_string_lossy();
                wrote[0].strip_prefix("link to ") == Some(&*target) || wrote[2] == target
            }
            Some(Body::File(bytes)) => {
                let (digest, sha256) = (ask.digest(&bytes), sha256(&bytes));
                wrote[..2].iter().any(|text| text.ends_with(&digest) || text.ends_with(&sha256))
            }
            Some(Body::Directory(_) | Body::Other) | None => false,
        })
    }
}

fn shown(is: Stat) -> String {
    match is.kind {
        FileKind::Link => "link".to_owned(),
        _ => format!("file, {} B", is.size),
    }
}
