//! What differs of one unit besides its file: masked, enabled, running, and running with what is there now.
use super::asked::Asked;
use super::before::coming;
use super::boot::{self, AtBoot, Switch};
use super::start::{Way, served};
use super::{Unit, file, install, mask, name_in_systemd, stale};
use crate::error::{Attempt as _, Result};
use crate::field::UnitName;
use crate::id::Id;
use crate::resource::{Ask, Change};
use crate::system::unit_file::is_behind_mask;
use crate::system::{System, systemctl};

/// One unit, as it is looked at.
pub(super) struct Look<'a, 'b> {
    pub(super) name: &'a UnitName,
    pub(super) found: Option<&'b systemctl::Unit>,
    /// Its file is about to be written.
    pub(super) writes: bool,
    /// What its file holds or will hold, if the recipe brings it.
    pub(super) bytes: Option<&'b [u8]>,
    /// The earlier step that brings it.
    pub(super) after: Option<Id>,
}

impl<'b> Look<'_, 'b> {
    /// Returns what systemd has of it where that is what it will have as well.
    pub(super) fn lasting(&self) -> Option<&'b systemctl::Unit> {
        self.found.filter(|unit| !self.writes && !unit.needs_reload && self.after.is_none())
    }

    fn change(&self, field: &str, from: impl Into<String>, to: &str) -> Change {
        Change::field(&self.name.0, field, Some(from.into()), Some(to.to_owned())).after(self.after.clone())
    }
}

impl Unit {
    /// Gathers what differs of one unit but its file.
    pub(super) fn look<'a>(
        &'a self,
        look: &Look<'a, '_>,
        ask: &Ask<'_>,
        sys: &dyn System,
        asked: &mut Asked<'a>,
    ) -> Result<()> {
        self.refuse(look, sys)?;
        self.at_boot(look, ask, sys, asked)?;
        let starts = match self.running(look, ask, sys)? {
            Running::Stops(change) => {
                asked.stops.push((change, name_in_systemd(look.name, look.found)));
                false
            }
            Running::Starts(changes, way) => {
                asked.starts.push((changes, name_in_systemd(look.name, look.found), way));
                true
            }
            Running::Stays => false,
        };
        // A write or a start has the files read again by itself.
        if let Some(unit) = look.found.filter(|_| !look.writes && !starts) {
            let after = redefined(look, unit, ask, sys)?;
            if unit.needs_reload || after.is_some() {
                asked.reread.push(look.change("definition", "older than its files", "read again").after(after));
            }
        }
        Ok(())
    }

    /// Gathers what differs of `masked` and `enabled`.
    fn at_boot<'a>(
        &'a self,
        look: &Look<'a, '_>,
        ask: &Ask<'_>,
        sys: &dyn System,
        asked: &mut Asked<'a>,
    ) -> Result<()> {
        let switches = &mut asked.switches;
        let mut switch = |field: &str, from: &str, to: &str, switch| {
            let name = name_in_systemd(look.name, look.found);
            switches.push((look.change(field, from, to), name, switch));
        };
        let state = look.found.map(|unit| unit.file_state.as_str()).filter(|state| !state.is_empty());
        let unmasks = look.found.is_some_and(systemctl::Unit::is_masked)
            && match self.masked {
                Some(masked) => !masked,
                None if self.wants_it_there() || self.brings_file() => mask::is_ours(look.name, look.found, ask, sys)?,
                None => false,
            };
        match self.masked {
            // One that holds until the next boot only does not do.
            Some(true) if state != Some("masked") => {
                mask::has_place(look.name, ask, sys)?;
                switch("masked", state.unwrap_or("not there"), "masked", Switch::Mask);
            }
            _ if unmasks => switch("masked", state.unwrap_or("masked"), "unmasked", Switch::Unmask),
            _ => {}
        }
        let outdated = self.outdated(look, ask, sys)?;
        if !outdated.is_empty() {
            let (field, to) = match self.enabled {
                _ if look.name.is_template() => ("instances", "without"),
                Some(_) => ("enabled", "enabled"),
                None => ("enabled", "disabled"),
            };
            asked.unlinks.push((look.change(field, format!("with {}", outdated.join(", ")), to), outdated));
        }
        let Some(enabled) = self.enabled else { return Ok(()) };
        // To be disabled it needs no `[Install]` section.
        let new =
            look.bytes.filter(|_| enabled && (look.writes || state == Some("static"))).map(String::from_utf8_lossy);
        let hindrance = new.map(|text| boot::hindrance(&text, sys)).transpose()?.flatten();
        let is = match (hindrance, look.found) {
            (Some(why), _) => AtBoot::Never(why),
            (_, Some(unit)) => match boot::at_boot(unit, sys)? {
                // What it is now says nothing of what it will be.
                AtBoot::Never(_) | AtBoot::Always(_) if look.writes || look.after.is_some() => AtBoot::Stays,
                is => is,
            },
            (_, None) => AtBoot::Stays,
        };
        boot::refuse(&look.name.0, enabled, &is)?;
        let shown = state.filter(|state| *state != "generated");
        match (enabled, is) {
            (true, AtBoot::Stays | AtBoot::Once) => {
                switch("enabled", shown.unwrap_or("disabled"), "enabled", Switch::Enable);
            }
            (true, AtBoot::Starts) => {
                let lacking = look.found.map(|unit| install::lacking(look, unit, sys)).transpose()?.unwrap_or_default();
                if !lacking.is_empty() {
                    switch("enabled", &format!("without {}", lacking.join(", ")), "enabled", Switch::Enable);
                }
            }
            (false, AtBoot::Starts | AtBoot::Once) => {
                switch("enabled", shown.unwrap_or("enabled"), "disabled", Switch::Disable);
            }
            // Whether it is enabled the mask hides.
            (false, _) if unmasks => {
                let behind = is_behind_mask(sys, &look.name.0).attempt(|| format!("looking for `{}`", look.name))?;
                if behind {
                    switch("enabled", "masked", "disabled", Switch::Disable);
                }
            }
            _ => {}
        }
        Ok(())
    }

    /// Returns what differs of `active`, and whether it runs with older files than there are.
    fn running(&self, look: &Look<'_, '_>, ask: &Ask<'_>, sys: &dyn System) -> Result<Running> {
        let unit = look.found.filter(|unit| !unit.is_stopped());
        let (change, way) = match (self.active, unit) {
            (Some(false), Some(unit)) => {
                return Ok(Running::Stops(look.change("active", unit.shown_state(), "inactive")));
            }
            (Some(true), Some(unit)) if unit.is_active() && self.falls(unit, sys) => {
                let from = format!("started again by systemd, {} times", unit.restarts);
                (look.change("active", from, "active"), Way::Restart)
            }
            (Some(true), Some(unit)) if unit.is_active() => match self.restart(look, unit, ask, sys)? {
                Some(restart) => restart,
                None => return Ok(Running::Stays),
            },
            (Some(true), _) => {
                let from = look.found.map_or_else(|| "inactive".to_owned(), systemctl::Unit::shown_state);
                (look.change("active", from, "active"), Way::Start)
            }
            // Not told to run, it is restarted where it does and the recipe has a say in what it runs with.
            (None, Some(unit)) if unit.is_active() && (self.brings_file() || !self.watch.is_empty()) => {
                match self.restart(look, unit, ask, sys)? {
                    Some(restart) => restart,
                    None => return Ok(Running::Stays),
                }
            }
            _ => return Ok(Running::Stays),
        };
        let mut changes = vec![change];
        if way != Way::Reload
            && let Some(socket) = look.found
        {
            let served = served(sys, [socket])?;
            if !served.is_empty() {
                let with = format!("{} active, which keeps its socket from starting", served.join(", "));
                changes.push(look.change("service", with, "restarted"));
            }
        }
        Ok(Running::Starts(changes, way))
    }

    /// Returns whether a unit that is active just now is one that systemd keeps starting.
    fn falls(&self, unit: &systemctl::Unit, sys: &dyn System) -> bool {
        let age = unit.started.and_then(|started| sys.now().duration_since(started).ok());
        unit.restarts > 0 && age.is_some_and(|age| age < self.settle())
    }

    /// Returns the restart, or reload, of a unit that runs with what is older than its files, or will be.
    fn restart(
        &self,
        look: &Look<'_, '_>,
        unit: &systemctl::Unit,
        ask: &Ask<'_>,
        sys: &dyn System,
    ) -> Result<Option<(Change, Way)>> {
        let name = name_in_systemd(look.name, look.found);
        // What a slice says holds for what is in it once it is read; a restart would end all that.
        if std::path::Path::new(&name).extension().is_some_and(|is| is == "slice") {
            return Ok(None);
        }
        let inputs = stale::inputs(sys, &name, unit, &self.watch)?;
        let (stale, after) = if look.writes {
            let file = stale::Input { path: file::path_of(look.name), watched: false };
            (Some(stale::Stale::other(file)), None)
        } else if let Some((input, id)) = coming(look.name, &inputs, ask) {
            (Some(stale::Stale::other(input)), Some(id))
        } else {
            (stale::changed(sys, &name, unit, &inputs)?, None)
        };
        let Some(stale) = stale else { return Ok(None) };
        let (field, way) =
            if self.reload && stale.input.watched { ("reloaded", Way::Reload) } else { ("restarted", Way::Restart) };
        let change = look.change(field, stale.shown(), field);
        let after = after.or_else(|| look.after.clone());
        Ok(Some((change.after(after), way)))
    }
}

/// Returns the earlier step that is about to change what defines a unit that systemd surely has in memory.
fn redefined(look: &Look<'_, '_>, unit: &systemctl::Unit, ask: &Ask<'_>, sys: &dyn System) -> Result<Option<Id>> {
    if unit.is_stopped() && boot::at_boot(unit, sys)? != AtBoot::Starts {
        return Ok(None);
    }
    let files = unit.fragment.iter().chain(&unit.drop_ins);
    let inputs: Vec<_> = files.map(|path| stale::Input { path: path.clone(), watched: false }).collect();
    Ok(coming(look.name, &inputs, ask).map(|(_, id)| id))
}

enum Running {
    Stays,
    Stops(Change),
    Starts(Vec<Change>, Way),
}
