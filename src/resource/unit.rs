//! `[[unit]]`: a systemd unit: its file, whether it is enabled, runs, and runs with what its files say now.
use super::{Ask, Mistake, Plan, Refused, Resource, Thing, Waiting, Want};
use crate::error::{Error, Result};
use crate::field::{AbsPath, Names, Period, Text, UnitName};
use crate::system::System;
use crate::system::systemctl::{self, Units};
use crate::system::unit_file;
use asked::Asked;
use look::Look;
use serde::Deserialize;
use std::sync::Arc;
use std::time::Duration;

/// How long a unit must stay up after its start.
const SETTLE: Duration = Duration::from_secs(5);

mod absent;
mod asked;
mod before;
mod boot;
mod file;
mod install;
mod look;
mod mask;
mod refuse;
mod rival;
mod settle;
mod stale;
mod start;
mod why;

/// A systemd unit: its file, whether it starts at boot, whether it runs, and whether it runs with what its files
/// say now.
///
/// A unit that runs is restarted where its file, a drop-in, an `EnvironmentFile=` or something that it watches is
/// not what it was when it last started; the plan shows that as a change of its own. The program of `ExecStart=` is
/// watched only where `watch` names it. A file that was only touched is read again by systemd and nothing is
/// restarted, and what `systemctl set-property` says holds without a restart. A socket that must be started again
/// while its service runs has that stopped for it and started again, and the plan says so.
///
/// To be active is to be active still after `settle`, without having been started again by systemd. What fails shows
/// the last lines of its journal. A start that takes longer than `timeout` goes on in systemd, and the next run waits
/// for it. A unit file that systemd refuses is an error before anything is restarted.
///
/// Enabled is what outlasts a boot. Each link that `[Install]` names with `WantedBy=`, `RequiredBy=`, `UpheldBy=` (which
/// systemd knows from 254 on) and `Alias=` is looked for; those that only the file before this one named go with it, and so do
/// those of the instances of a template. A unit without `[Install]` section, one that is transient and one that only names
/// others in `Also=` can't be enabled, and one that is made from `/etc/fstab` can't be disabled: the error says what
/// to do. What somebody else masked waits for them, unless the recipe says `masked = false`; what we masked is unmasked
/// where the recipe says instead that it starts, or brings its file.
///
/// Two units that exclude each other by `Conflicts=` can't both be active, and by two names one unit can't be asked for
/// otherwise: that is an error, since each run would undo the one before. A drop-in stands before the unit that runs with it.
///
/// A template (`name@.service`) can bring its file; its instances are units of their own. Absent: what we started is
/// stopped, what we enabled is disabled, our file removed; where one was there before us it is put back, and what ran
/// before us is restarted with it.
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
    /// With its type: `nginx.service`, `max-agent@claude.service`. An alias stands for the unit that has it.
    name: Names<UnitName>,
    /// Its file in `/etc/systemd/system`.
    content: Option<Text>,
    /// The same, from beside the recipe.
    source: Option<Text>,
    /// `source` is rendered.
    #[serde(default)]
    template: bool,
    /// It starts at boot, or with what its `[Install]` section names, or does not.
    enabled: Option<bool>,
    /// It runs, and still does after `settle`, or does not.
    active: Option<bool>,
    /// Nothing can start it.
    masked: Option<bool>,
    /// Files, or directories with all in them, from which it runs, such as its program.
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
        if self.reload && self.watch.is_empty() {
            mistakes.push(Mistake::at(
                "reload",
                "`reload` belongs to a `watch`: a change of anything else needs a restart",
            ));
        }
        mistakes.extend(self.mistakes_of_a_template());
        if self.masked == Some(true) {
            let others = [
                ("enabled", self.enabled == Some(true)),
                ("active", self.active == Some(true)),
                (if self.content.is_some() { "content" } else { "source" }, self.brings_file()),
            ];
            for (key, _) in others.iter().filter(|(_, given)| *given) {
                mistakes.push(Mistake::at("masked", format!("`masked` and `{key}`: a masked unit can't be that")));
            }
        }
        if let Some(content) = self.content.as_ref().filter(|_| self.template_name().is_none()) {
            if self.active == Some(true) && unit_file::ends_by_itself(content) {
                mistakes.push(Mistake::at("active", refuse::ENDS));
            }
            if self.enabled == Some(true) && !unit_file::can_be_enabled(content) {
                mistakes.push(Mistake::at("enabled", boot::no_install(content)));
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

/// Reads the state of all units of the job in one go.
fn units(own: &[&str], ask: &Ask<'_>, sys: &dyn System) -> Result<Arc<Units>> {
    let names: Vec<&str> = own.iter().copied().chain(ask.peers.iter().map(|peer| peer.name.as_str())).collect();
    sys.facts().get("systemctl", || systemctl::show(sys, names))
}

/// Returns the name under which systemd has a unit: another one, where that of the recipe is an alias.
fn name_in_systemd(name: &UnitName, found: Option<&systemctl::Unit>) -> String {
    found.and_then(|unit| unit.names.first()).unwrap_or(&name.0).clone()
}

impl Unit {
    fn template_name(&self) -> Option<&UnitName> {
        self.name.0.iter().find(|name| name.is_template())
    }

    fn mistakes_of_a_template(&self) -> Vec<Mistake> {
        let Some(template) = self.template_name() else { return Vec::new() };
        let instance = template.0.replace("@.", "@NAME.");
        let asked = [
            ("enabled", self.enabled.is_some(), "enabled"),
            ("active", self.active.is_some(), "started"),
            ("masked", self.masked.is_some(), "masked"),
            ("watch", !self.watch.is_empty(), "restarted"),
        ];
        let asked = asked.into_iter().filter(|(_, given, _)| *given);
        let message = |what| format!("`{template}` is a template and can't be {what}; name an instance, `{instance}`");
        asked.map(|(key, _, what)| Mistake::at(key, message(what))).collect()
    }

    fn brings_file(&self) -> bool {
        self.content.is_some() || self.source.is_some()
    }

    fn wants_it_there(&self) -> bool {
        self.enabled == Some(true) || self.active == Some(true)
    }

    fn settle(&self) -> Duration {
        self.settle.map_or(SETTLE, |settle| settle.0)
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
            match self.ask_of(name, units, bytes, ask, sys) {
                Ok(Ok(one)) => asked.add(one),
                Ok(Err(waiting)) => plan.waiting.push(waiting),
                Err(error) => plan.refused.push(Refused { name: name.0.clone(), error }),
            }
        }
        self.steps(asked, bytes, ask, &mut plan);
        Ok(plan)
    }

    /// Returns what is asked of one unit, or for what it waits.
    fn ask_of<'a>(
        &'a self,
        name: &'a UnitName,
        units: &Units,
        bytes: Option<&[u8]>,
        ask: &Ask<'_>,
        sys: &dyn System,
    ) -> Result<Result<Asked<'a>, Waiting>> {
        let after = match self.waiting(name, units, bytes.is_some(), ask, sys)? {
            Ok(after) => after,
            Err(waiting) => return Ok(Err(waiting)),
        };
        let found = units.get(&name.0).map(AsRef::as_ref);
        self.has_no_rival(name, units, bytes, ask)?;
        let file = match bytes {
            Some(bytes) => file::changes(name, bytes, ask, sys)?,
            None => Vec::new(),
        };
        let writes = file.iter().any(|change| change.field != "mode");
        let files = file.into_iter().map(|change| (change, name)).collect();
        let mut asked = Asked { files, ..Asked::default() };
        self.look(&Look { name, found, writes, bytes, after }, ask, sys, &mut asked)?;
        Ok(Ok(asked))
    }

    /// Returns the earlier step that brings a unit, if any, or for what it waits.
    fn waiting(
        &self,
        name: &UnitName,
        units: &Units,
        has_file: bool,
        ask: &Ask<'_>,
        sys: &dyn System,
    ) -> Result<Result<Option<crate::id::Id>, Waiting>> {
        let found = units.get(&name.0).map(AsRef::as_ref);
        if self.masked.is_none()
            && (self.wants_it_there() || has_file)
            && let Some(remedy) = mask::unmasking(name, found, sys)?
            && !mask::is_ours(name, found, ask, sys)?
        {
            let because = "somebody masked it".to_owned();
            let supplies = vec![Thing::Unit(name.0.clone())];
            return Ok(Err(Waiting { name: name.0.clone(), because, remedy: Some(remedy), supplies }));
        }
        let mut needs = super::need::Needs::default();
        if !has_file && !found.is_some_and(systemctl::Unit::exists) && self.wants_it_there() {
            needs.unit(name, ask, sys)?;
        }
        match needs.waiting(&name.0, vec![Thing::Unit(name.0.clone())]) {
            Some(waiting) => Ok(Err(waiting)),
            None => Ok(Ok(needs.after)),
        }
    }
}
