//! An export that should not be there: what stood in its file before us is put back.
use super::exported::{Exported, surplus};
use super::{NfsExport, others, shown, text};
use crate::error::Result;
use crate::resource::{Ask, Change, Plan, Remark, Step, kept};
use crate::system::System;
use crate::system::exports::{Export, parse_exports};

impl NfsExport {
    pub(super) fn absent<'a>(&'a self, written: Option<&str>, ask: &Ask<'_>, sys: &dyn System) -> Result<Plan<'a>> {
        let (name, file) = (&self.path.0, self.file());
        let stays = |text: String| Ok(Plan { remarks: vec![Remark { name: name.clone(), text }], ..Plan::default() });
        let copy = kept::copy_of(&file, sys)?.map(|(copy, _)| copy);
        let before = copy.as_deref().map(|copy| text(sys, copy)).transpose()?;
        if let (Some(copy), Some(before), Some(written)) = (&copy, &before, written)
            && written != self.content()
            && written != before
        {
            return stays(format!(
                "kept: changed since we wrote it; what was there before us is in `{}`",
                copy.display()
            ));
        }
        if before.is_none() && !ask.ours(name) {
            let is_there = written.is_some();
            return if is_there {
                stays(format!("kept: `{}` was there before", file.display()))
            } else {
                Ok(Plan::in_sync())
            };
        }
        let mut others: Vec<Export> = others(sys, &file, name)?.into_iter().map(|(_, export)| export).collect();
        // What is put back is somebody else's: whether its clients can be found is not ours to say.
        others.extend(before.as_deref().map(parse_exports).unwrap_or_default());
        let exported = Exported::read(sys, name)?;
        if before.is_none() && written.is_none() && surplus(&[], &others, &exported).is_empty() {
            return Ok(Plan::in_sync());
        }
        let change = match &before {
            Some(_) => {
                Change::field(name, "clients", Some(shown(&self.asked())), Some("as it was before us".to_owned()))
            }
            None => Change::removed(name, shown(&self.asked())),
        };
        let timeout = ask.timeout;
        let apply = move |sys: &dyn System| {
            let export = || self.export(sys, timeout, &[], &others);
            if before.is_some() {
                return kept::restore_for(&file, sys, export);
            }
            sys.remove_file(&file)?;
            export()
        };
        Ok(Plan::step(Step::new(vec![change], apply)))
    }
}
