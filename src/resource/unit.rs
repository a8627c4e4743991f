//! `[[unit]]`: a systemd unit: its file, whether it is enabled, runs, and runs with what its files say now.
use super::need::Needs;
use super::{Ask, Change, Mistake, Plan, Resource, Thing, Want};
use crate::error::{Error, Result};
use crate::field::{AbsPath, Names, Period, Text, UnitName};
use crate::id::Id;
use crate::system::System;
use crate::system::systemctl::{self, Units};
use asked::Asked;
use before::coming;
use serde::Deserialize;
use start::Way;
use std::sync::Arc;
use std::time::Duration;

/// How long a unit must stay up after its start.
const SETTLE: Duration = Duration::from_secs(5);

mod absent;
mod asked;
mod before;
mod file;
mod stale;
mod start;

/// A systemd unit: its file, whether it starts at boot, whether it runs, and whether it runs with what its files
/// say now.
///
/// A unit that runs is restarted where its file, a drop-in, an `EnvironmentFile=` or something that it watches is
/// not what it was when it last started; the plan shows that as a change of its own. To be active is to be active
/// still after `settle`, without having been started again by systemd. A template (`name@.service`) can bring its
/// file; its instances are units of their own. Absent: what we started is stopped, what we enabled is disabled, our
/// file removed.
///
/// ```toml
/// [[unit]]
/// name    = "hello.service"
/// content = """
/// [Service]
/// ExecStart=/usr/bin/sleep infinity
/// EnvironmentFile=-/etc/hello.env
///
/// [Install]
/// WantedBy=multi-user.target
/// """
/// enabled = true
/// active  = true
/// ```
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub(super) struct Unit {
    /// With its type: `nginx.service`, `max-agent@claude.service`.
    name: Names<UnitName>,
    /// Its file in `/etc/systemd/system`.
    content: Option<Text>,
    /// The same, from beside the recipe.
    source: Option<Text>,
    /// `source` is rendered.
    #[serde(default)]
    template: bool,
    /// It starts at boot, or does not.
    enabled: Option<bool>,
    /// It runs, or does not.
    active: Option<bool>,
    /// Nothing can start it.
    masked: Option<bool>,
    /// Files, or directories with all in them, from which it runs.
    #[serde(default)]
    watch: Vec<AbsPath>,
    /// A change of what `watch` names needs a reload only.
    #[serde(default)]
    reload: bool,
    /// Default: `"5s"`. How long a service must stay up after its start.
    settle: Option<Period>,
}

impl Resource for Unit {
    fn names(&self) -> Vec<String> {
        self.name.0.iter().map(|name| name.0.clone()).collect()
    }

    fn mistakes(&self) -> Vec<Mistake> {
        let mut mistakes = Vec::new();
        if self.content.is_some() && self.source.is_some() {
            mistakes.push(Mistake::at("source", "`source` and `content`: a unit has one file"));
        }
        if self.template && self.source.is_none() {
            mistakes.push(Mistake::at("template", "`template` belongs to a `source`; `content` is always rendered"));
        }
        if let Some(template) = self.name.0.iter().find(|name| name.is_template()) {
            let instance = template.0.replace("@.", "@NAME.");
            let message =
                |what| format!("`{template}` is a template and can't be {what}; name an instance, `{instance}`");
            for (key, given, what) in [
                ("enabled", self.enabled, "enabled"),
                ("active", self.active, "started"),
                ("masked", self.masked, "masked"),
            ] {
                if given.is_some() {
                    mistakes.push(Mistake::at(key, message(what)));
                }
            }
        }
        if self.masked == Some(true) {
            let others = [
                ("enabled", self.enabled == Some(true)),
                ("active", self.active == Some(true)),
                ("content", self.brings_file()),
            ];
            for (key, _) in others.iter().filter(|(_, given)| *given) {
                mistakes.push(Mistake::at("masked", format!("`masked` and `{key}`: a masked unit can't be that")));
            }
        }
        if let Some(content) = &self.content {
            if self.active == Some(true) && systemctl::ends_by_itself(content) {
                mistakes.push(Mistake::at("active", ENDS));
            }
            if self.enabled == Some(true) && !systemctl::can_be_enabled(content) {
                mistakes.push(Mistake::at("enabled", "the unit has no `[Install]` section, so it can't be enabled"));
            }
        }
        mistakes
    }

    fn check<'a>(&'a self, ask: &Ask<'_>, sys: &dyn System) -> Result<Plan<'a>> {
        let own: Vec<&str> = self.name.0.iter().map(|name| name.0.as_str()).collect();
        let units = units(&own, ask, sys)?;
        match ask.want {
            Want::Absent => self.check_absent(&units, ask, sys),
            Want::Present => self.check_present(&units, ask, sys),
        }
    }
}

const ENDS: &str =
    "a oneshot service without `RemainAfterExit=yes` is done once its command ends, so it is never active";

/// Reads the state of all units of the job in one go.
fn units(own: &[&str], ask: &Ask<'_>, sys: &dyn System) -> Result<Arc<Units>> {
    let names: Vec<&str> = own.iter().copied().chain(ask.peers.iter().map(String::as_str)).collect();
    sys.facts().get("systemctl", || systemctl::show(sys, names))
}

impl Unit {
    fn brings_file(&self) -> bool {
        self.content.is_some() || self.source.is_some()
    }

    /// Returns the bytes that the unit's file should have.
    fn bytes<'b>(&'b self, ask: &Ask<'b>) -> Result<Option<&'b [u8]>> {
        match (&self.content, &self.source, ask.source) {
            (Some(content), _, _) => Ok(Some(content.as_bytes())),
            (None, Some(_), Some(bytes)) => Ok(Some(bytes)),
            (None, Some(source), None) => {
                Err(Error::new(format!("reading `{source}`")).reason("its bytes did not come along"))
            }
            (None, None, _) => Ok(None),
        }
    }

    fn check_present<'a>(&'a self, units: &Units, ask: &Ask<'_>, sys: &dyn System) -> Result<Plan<'a>> {
        let mut plan = Plan::default();
        let mut asked = Asked::default();
        let bytes = self.bytes(ask)?;
        for name in &self.name.0 {
            let found = units.get(&name.0).map(AsRef::as_ref);
            let file = match bytes {
                Some(bytes) => file::changes(name, bytes, ask, sys)?,
                None => Vec::new(),
            };
            let mut needs = Needs::default();
            if bytes.is_none() && !found.is_some_and(systemctl::Unit::exists) && self.wants_it_there() {
                needs.unit(name, ask, sys)?;
            }
            if let Some(waiting) = needs.waiting(&name.0, vec![Thing::Unit(name.0.clone())]) {
                plan.waiting.push(waiting);
                continue;
            }
            let look = Look {
                name,
                found,
                writes: file.iter().any(|change| change.field != "mode"),
                bytes,
                after: needs.after,
            };
            asked.files.extend(file.into_iter().map(|change| (change, name)));
            self.look(&look, ask, sys, &mut asked)?;
        }
        self.steps(asked, bytes, ask, &mut plan);
        Ok(plan)
    }

    fn wants_it_there(&self) -> bool {
        self.enabled == Some(true) || self.active == Some(true)
    }

    /// Gathers what differs of one unit but its file.
    fn look<'a>(&'a self, look: &Look<'a, '_>, ask: &Ask<'_>, sys: &dyn System, asked: &mut Asked<'a>) -> Result<()> {
        let Look { name, found, .. } = *look;
        self.refuse(look)?;
        let change = |field: &str, from: Option<String>, to: &str| {
            Change::field(&name.0, field, from, Some(to.to_owned())).after(look.after.clone())
        };
        let masked = found.is_some_and(systemctl::Unit::is_masked);
        match self.masked {
            Some(true) if !masked => {
                asked.switches.push((
                    change("masked", found.map(|unit| unit.file_state.clone()), "masked"),
                    name,
                    "mask",
                ));
            }
            Some(false) if masked => {
                asked.switches.push((change("masked", Some("masked".to_owned()), "unmasked"), name, "unmask"));
            }
            _ => {}
        }
        let state = found.map(|unit| unit.file_state.clone()).filter(|state| !state.is_empty());
        match self.enabled {
            Some(true) if !is_enabled(state.as_deref()) => {
                let from = state.unwrap_or_else(|| "disabled".to_owned());
                asked.switches.push((change("enabled", Some(from), "enabled"), name, "enable"));
            }
            Some(false) if matches!(state.as_deref(), Some("enabled" | "enabled-runtime")) => {
                asked.switches.push((change("enabled", state, "disabled"), name, "disable"));
            }
            _ => {}
        }
        let unit = found.filter(|unit| !unit.is_stopped());
        match (self.active, unit) {
            (Some(true), Some(unit)) if unit.is_active() && self.falls(unit, sys) => {
                let from = Some(format!("started again by systemd, {} times", unit.restarts));
                asked.starts.push((change("active", from, "active"), name, Way::Restart));
            }
            (Some(true), Some(unit)) if unit.is_active() => {
                asked.starts.extend(self.restart(look, unit, ask, sys)?);
            }
            (Some(true), _) => {
                let from = found.map_or_else(|| "inactive".to_owned(), systemctl::Unit::shown_state);
                asked.starts.push((change("active", Some(from), "active"), name, Way::Start));
            }
            (Some(false), Some(unit)) => {
                asked.stops.push((change("active", Some(unit.shown_state()), "inactive"), name));
            }
            // Not told to run, it is restarted where it does and the recipe has a say in what it runs with.
            (None, Some(unit)) if unit.is_active() && (self.brings_file() || !self.watch.is_empty()) => {
                asked.starts.extend(self.restart(look, unit, ask, sys)?);
            }
            _ => {}
        }
        let starts = asked.starts.last().is_some_and(|(_, last, _)| *last == name);
        // A start reads the files again by itself.
        if found.is_some_and(|unit| unit.needs_reload) && !look.writes && !starts {
            asked.reread.push(change("definition", Some("older than its files".to_owned()), "read again"));
        }
        Ok(())
    }

    /// Returns whether a unit that is active just now is one that systemd keeps starting.
    fn falls(&self, unit: &systemctl::Unit, sys: &dyn System) -> bool {
        let age = unit.started.and_then(|started| sys.now().duration_since(started).ok());
        unit.restarts > 0 && age.is_some_and(|age| age < self.settle())
    }

    fn settle(&self) -> Duration {
        self.settle.map_or(SETTLE, |settle| settle.0)
    }

    /// Says of what can't be so why, before anything is tried.
    fn refuse(&self, look: &Look<'_, '_>) -> Result<()> {
        let Look { name, found, .. } = *look;
        let text = look.bytes.map(String::from_utf8_lossy);
        let loaded = found.filter(|unit| unit.load == "loaded" && !look.writes && look.after.is_none());
        let ends = text
            .as_ref()
            .map_or(loaded.is_some_and(|unit| unit.ends_by_itself), |text| systemctl::ends_by_itself(text));
        if self.active == Some(true) && ends {
            let error = Error::new(format!("keeping `{name}` active")).reason(ENDS);
            return Err(error.remedy("leave `active` out; a [[command]] or a timer runs it"));
        }
        let fixed = text
            .as_ref()
            .map_or(loaded.is_some_and(|unit| unit.file_state == "static"), |text| !systemctl::can_be_enabled(text));
        if self.enabled == Some(true) && fixed {
            let error = Error::new(format!("enabling `{name}`")).reason("it has no `[Install]` section");
            return Err(error.remedy("leave `enabled` out: others start it"));
        }
        let masked = found.is_some_and(systemctl::Unit::is_masked);
        if masked && self.masked.is_none() && (self.wants_it_there() || self.brings_file()) {
            let error = Error::new(format!("looking at `{name}`")).reason("it is masked");
            return Err(error.remedy("say `masked = false`, if that is meant"));
        }
        if let Some(unit) = loaded.is_none().then_some(found).flatten().filter(|unit| {
            matches!(unit.load.as_str(), "error" | "bad-setting")
                && !look.writes
                && !unit.needs_reload
                && self.wants_it_there()
        }) {
            let error =
                Error::new(format!("looking at `{name}`")).reason(format!("systemd can't load it: {}", unit.load));
            return Err(if unit.load_error.is_empty() { error } else { error.reason(unit.load_error.clone()) });
        }
        Ok(())
    }

    /// Returns the restart, or reload, of a unit that runs with what is older than its files, or will be.
    fn restart<'a>(
        &'a self,
        look: &Look<'a, '_>,
        unit: &systemctl::Unit,
        ask: &Ask<'_>,
        sys: &dyn System,
    ) -> Result<Option<(Change, &'a UnitName, Way)>> {
        let inputs = stale::inputs(sys, &look.name.0, unit, &self.watch)?;
        let own = file::path_of(look.name);
        let (input, after) = if look.writes {
            (Some(stale::Input { path: own, watched: false }), None)
        } else if let Some((input, id)) = coming(look.name, &inputs, ask) {
            (Some(input), Some(id))
        } else {
            (stale::changed(sys, &look.name.0, unit, &inputs)?, None)
        };
        let Some(input) = input else { return Ok(None) };
        let (field, way) =
            if self.reload && input.watched { ("reloaded", Way::Reload) } else { ("restarted", Way::Restart) };
        let older = format!("older than {}", input.path.display());
        let change = Change::field(&look.name.0, field, Some(older), Some(field.to_owned()));
        Ok(Some((change.after(after.or_else(|| look.after.clone())), look.name, way)))
    }
}

/// One unit, as it is looked at.
struct Look<'a, 'b> {
    name: &'a UnitName,
    found: Option<&'b systemctl::Unit>,
    /// Its file is about to be written.
    writes: bool,
    bytes: Option<&'b [u8]>,
    /// The earlier step that brings it.
    after: Option<Id>,
}

fn is_enabled(state: Option<&str>) -> bool {
    matches!(state, Some("enabled" | "alias" | "indirect" | "generated"))
}
