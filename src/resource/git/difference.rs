//! What of a checkout differs from what is asked: told by its files, and by git where they do not tell.
use super::Git;
use super::checkout::{Checkout, Standing, short};
use super::obstacle::Obstacle;
use super::program::{Program, Relation};
use super::torn::Torn;
use crate::error::Result;
use crate::resource::{Ask, Change};
use crate::system::{System, without_login};
use std::collections::BTreeSet;
use std::path::Path;

/// What differs, and what would have to be done.
#[derive(Debug, Default)]
pub(super) struct Differences {
    pub(super) changes: Vec<Change>,
    /// Why it has to wait for a person.
    pub(super) obstacle: Option<Obstacle>,
    pub(super) url: bool,
    /// Origin's commit to which the branch goes on; `None` with `elsewhere`: what origin has.
    pub(super) forward: Option<String>,
    /// Something else than the ref that is asked is checked out.
    pub(super) elsewhere: bool,
    /// What is to be checked out, where that is not so.
    pub(super) cone: Option<Cone>,
}

/// What is to be checked out of the files of a commit.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Cone {
    /// All of them.
    Whole,
    /// These directories and what is at the top.
    Of(BTreeSet<String>),
}

impl Git {
    /// Compares by files, and asks git where they do not tell; `ready` says whether git can be asked.
    pub(super) fn differences(
        &self,
        checkout: &Checkout,
        torn: Option<&Torn>,
        program: &Program,
        ask: &Ask<'_>,
        sys: &dyn System,
        mut ready: impl FnMut(&dyn System) -> Result<bool>,
    ) -> Result<Differences> {
        let mut differs = Differences::default();
        if let Some(torn) = torn {
            differs.changes.push(self.mended(torn));
            differs.obstacle = torn.obstacle(&self.path.0);
        }
        let field = |field: &str, from: Option<String>, to: String| Change::field(&self.path.0, field, from, Some(to));
        let is = checkout.url.as_deref();
        if is.map(|url| url.trim_end_matches('/')) != Some(self.url.0.trim_end_matches('/')) {
            differs.changes.push(field("url", is.map(without_login), self.url.to_string()));
            differs.url = true;
        }
        self.compare_ref(&mut differs, checkout, program, sys, &mut ready)?;
        if let Some(cone) = self.cone_to_be(checkout.cone.as_ref(), ask) {
            let from = checkout.cone.as_ref().map_or_else(everything, listed);
            let to = match &cone {
                Cone::Whole => everything(),
                Cone::Of(directories) => listed(directories),
            };
            differs.changes.push(field("sparse", Some(from), to));
            differs.cone = Some(cone);
        }
        let moves = differs.forward.is_some() || differs.elsewhere || differs.cone.is_some();
        if moves && differs.obstacle.is_none() && ready(sys)? {
            differs.obstacle =
                self.in_the_way(checkout, differs.elsewhere, torn.is_some_and(|torn| !torn.is_whole()), program, sys)?;
        }
        Ok(differs)
    }

    /// Returns what is to be checked out where that is not so. What is there beyond what is asked stays. Where nothing is asked
    /// one of ours is whole; of somebody else's it is not our affair.
    fn cone_to_be(&self, is: Option<&BTreeSet<String>>, ask: &Ask<'_>) -> Option<Cone> {
        let asked: BTreeSet<String> = self.sparse.iter().map(|directory| directory.0.clone()).collect();
        if asked.is_empty() {
            let claim = ask.claim(&self.path.0);
            let is_ours = claim.is_some_and(|claim| claim.made || claim.last.contains_key("sparse"));
            return is.filter(|_| is_ours).map(|_| Cone::Whole);
        }
        let Some(is) = is else { return Some(Cone::Of(asked)) };
        let lacks = !asked.iter().all(|directory| is_within(directory, is));
        lacks.then(|| Cone::Of(asked.union(is).cloned().collect()))
    }

    fn compare_ref(
        &self,
        differs: &mut Differences,
        checkout: &Checkout,
        program: &Program,
        sys: &dyn System,
        ready: &mut impl FnMut(&dyn System) -> Result<bool>,
    ) -> Result<()> {
        let Some(reference) = &self.reference else { return Ok(()) };
        let change = |to: String| Change::field(&self.path.0, "ref", Some(checkout.shown()), Some(to));
        let standing = match checkout.standing(sys, reference)? {
            // Without git it can't be told, so not before git is there.
            Standing::Unpeeled | Standing::Apart(_) if !ready(sys)? => Standing::There,
            Standing::Unpeeled if checkout.commit.as_ref() == Some(&program.commit_of_tag(sys, reference)?) => {
                Standing::There
            }
            Standing::Unpeeled => Standing::Elsewhere,
            other => other,
        };
        match standing {
            Standing::There | Standing::Unpeeled => {}
            Standing::Elsewhere => {
                differs.changes.push(change(reference.to_string()));
                differs.elsewhere = true;
            }
            Standing::Apart(theirs) => match program.relation(sys, checkout.commit.as_deref(), &theirs)? {
                Relation::Ahead => {}
                Relation::Behind => {
                    differs.changes.push(change(format!("{reference} {}", short(&theirs))));
                    differs.forward = Some(theirs);
                }
                Relation::Diverged => {
                    differs.obstacle = Some(Obstacle {
                        because: format!("`{reference}` and origin's `{reference}` have diverged"),
                        remedy: format!("merge or rebase in `{}`, then run again", self.path.0),
                    });
                }
            },
        }
        Ok(())
    }
}

/// Returns whether a directory is one of a cone, or below one.
fn is_within(directory: &str, cone: &BTreeSet<String>) -> bool {
    Path::new(directory).ancestors().any(|part| cone.contains(&*part.to_string_lossy()))
}

fn everything() -> String {
    "everything".to_owned()
}

fn listed(directories: &BTreeSet<String>) -> String {
    let shown = directories.iter().map(String::as_str).collect::<Vec<_>>().join(", ");
    if shown.is_empty() { "files at the top alone".to_owned() } else { shown }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_directory_is_within_a_cone_that_has_one_above_it() {
        let cone: BTreeSet<String> = ["src".to_owned()].into();
        assert!(is_within("src/maestro", &cone) && is_within("src", &cone));
        assert!(!is_within("srcs", &cone) && !is_within("docs", &cone));
    }
}
