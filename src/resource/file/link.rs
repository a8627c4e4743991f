//! A symbolic link.
use super::File;
use crate::error::Result;
use crate::field::Text;
use crate::resource::need::Needs;
use crate::resource::{Ask, Change, Plan, Step};
use crate::system::{Body, Stat, System};
use std::path::Path;

impl File {
    pub(super) fn check_link<'a>(
        &'a self,
        target: &'a Text,
        is: Option<Stat>,
        ask: &Ask<'_>,
        sys: &dyn System,
    ) -> Result<Plan<'a>> {
        let path = self.path.path();
        let mut needs = Needs::default();
        let owner = self.ownership().planned(&mut needs, ask, sys)?;
        let mut changes = match is {
            None => {
                needs.parent(path, ask, sys)?;
                vec![Change::made(&self.path.0, format!("link to {target}"))]
            }
            Some(is) => {
                let mut changes = self.changed_metadata(is, owner, None, sys)?;
                let from = match sys.capture(path)?.map(|there| there.body) {
                    Some(Body::Link(found)) if found == Path::new(&target.0) => None,
                    Some(Body::Link(found)) => Some(found.to_string_lossy().into_owned()),
                    _ => Some(format!("a file, {} B", is.size)),
                };
                if from.is_some() {
                    changes.insert(0, Change::field(&self.path.0, "link", from, Some(target.0.clone())));
                }
                changes
            }
        };
        if changes.is_empty() {
            return Ok(Plan::in_sync());
        }
        if let Some(waiting) = needs.waiting(&self.path.0, vec![self.thing()]) {
            return Ok(Plan { waiting: vec![waiting], ..Plan::default() });
        }
        for change in &mut changes {
            change.after.clone_from(&needs.after);
        }
        let keep = (is.is_some() && !ask.ours(&self.path.0)).then(|| self.keeper(ask));
        let step = Step::new(changes, move |sys| {
            if let Some(keep) = keep {
                keep(path, sys)?;
            }
            let (uid, gid) = self.ownership().now(sys)?;
            sys.symlink(Path::new(&target.0), path, uid, gid)
        });
        Ok(Plan::step(step.supplies([self.thing()])))
    }
}
