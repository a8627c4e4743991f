//! What of a checkout differs from what is asked: told by its files, and by git where they do not tell.
use super::Git;
use super::checkout::{Checkout, Standing, short};
use super::obstacle::Obstacle;
use super::program::{Program, Relation};
use super::torn::Torn;
use crate::error::Result;
use crate::resource::Change;
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
    /// The directories of the sparse checkout that is to be.
    pub(super) cone: Option<BTreeSet<String>>,
}

impl Git {
    /// Compares by files, and asks git where they do not tell; `ready` says whether git can be asked.
    pub(super) fn differences(
        &self,
        checkout: &Checkout,
        torn: Option<&Torn>,
        program: &Program,
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
        let asked: BTreeSet<String> = self.sparse.iter().map(|directory| directory.0.clone()).collect();
        let lacks = |cone: &BTreeSet<String>| !asked.iter().all(|directory| is_within(directory, cone));
        if !asked.is_empty() && checkout.cone.as_ref().is_none_or(lacks) {
            let from = checkout.cone.as_ref().map_or_else(|| "everything".to_owned(), listed);
            differs.changes.push(field("sparse", Some(from), listed(&asked)));
            differs.cone = Some(asked.union(checkout.cone.as_ref().unwrap_or(&BTreeSet::new())).cloned().collect());
        }
        let moves = differs.forward.is_some() || differs.elsewhere || differs.cone.is_some();
        if moves && differs.obstacle.is_none() && ready(sys)? {
            differs.obstacle =
                self.in_the_way(checkout, differs.elsewhere, torn.is_some_and(|torn| !torn.is_whole()), program, sys)?;
        }
        Ok(differs)
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
