//! Taking packages away: only what we installed, and nothing that others would go with.
use super::{KIND, PROVIDED_BY, Package, apt, find, held};
use crate::error::Result;
use crate::field::PackageName;
use crate::resource::{Ask, Change, Plan, Remark, Step};
use crate::system::apt::others_that_go;
use crate::system::dpkg::{self, Records, State};
use crate::system::{System, state};

/// A package that is to go.
struct Going<'a> {
    /// As the recipe has it.
    name: &'a PackageName,
    /// As apt has it: of a virtual package, what was installed for it.
    package: String,
    version: String,
}

impl Package {
    pub(super) fn absent<'a>(&'a self, ask: &Ask<'_>, sys: &dyn System, records: &Records) -> Result<Plan<'a>> {
        let mut plan = Plan::default();
        let mut going = Vec::new();
        for name in &self.name.0 {
            let Some(found) = there(name, sys, records)? else {
                plan.steps.extend(without_stamp(name, sys)?);
                continue;
            };
            if !ask.ours(&name.0) {
                plan.remarks.push(remark(name, "kept: it was installed before, not by this recipe"));
            } else if let Some(by) = ask.pending.stays() {
                plan.remarks.push(remark(name, &format!("kept: {by} stays and may need it")));
            } else if found.held {
                plan.waiting.push(held(name, found, "removed"));
            } else {
                let (package, version) = (records.packages.apt_name(found), found.version.clone());
                going.push(Going { name, package, version });
            }
        }
        // apt-get would want completed first what is half done, be it the very package that is to go.
        let alone = records.interrupted || records.packages.halfway().next().is_some();
        if !alone {
            keep_what_others_need(&mut going, &mut plan, sys)?;
        }
        if going.is_empty() {
            return Ok(plan);
        }
        let changes = going.iter().map(|going| Change::removed(&going.name.0, &going.version)).collect();
        let timeout = ask.timeout;
        let step = Step::telling(changes, move |sys, tell| {
            let packages: Vec<String> = going.iter().map(|going| going.package.clone()).collect();
            let apt = apt(sys, tell, timeout);
            if alone { apt.remove_alone(&packages) } else { apt.remove(&packages) }?;
            going.iter().try_for_each(|going| state::clear_stamp(sys, KIND, &going.name.0))
        });
        plan.steps.push(step.opaque());
        Ok(plan)
    }
}

/// Returns the package of that name that is there, or what was installed for it.
fn there<'a>(name: &PackageName, sys: &dyn System, records: &'a Records) -> Result<Option<&'a dpkg::Package>> {
    let is_there = |found: &&dpkg::Package| found.state != State::Gone;
    if let Some(found) = find(records, name).filter(is_there) {
        return Ok(Some(found));
    }
    let stamp = state::stamp(sys, KIND, &name.0)?;
    let Some(provider) = stamp.as_deref().and_then(|stamp| stamp.strip_prefix(PROVIDED_BY)) else { return Ok(None) };
    Ok(find(records, &PackageName(provider.to_owned())).filter(is_there))
}

/// A run that was killed after the package went may have left its stamp.
fn without_stamp<'a>(name: &'a PackageName, sys: &dyn System) -> Result<Option<Step<'a>>> {
    let left = state::stamp(sys, KIND, &name.0)?.map(|_| "left by a run that was killed".to_owned());
    let clear = |from| {
        let change = Change::field(&name.0, "stamp", Some(from), None);
        Step::new(vec![change], move |sys| state::clear_stamp(sys, KIND, &name.0))
    };
    Ok(left.map(clear))
}

fn keep_what_others_need(going: &mut Vec<Going<'_>>, plan: &mut Plan<'_>, sys: &dyn System) -> Result<()> {
    let all: Vec<&str> = going.iter().map(|going| going.package.as_str()).collect();
    if all.is_empty() || others_that_go(sys, &all)?.is_empty() {
        return Ok(());
    }
    let mut kept = Vec::new();
    for one in going.iter() {
        let mut others = others_that_go(sys, &[&one.package])?;
        others.retain(|other| !all.contains(&other.as_str()));
        if !others.is_empty() {
            plan.remarks.push(remark(one.name, &format!("kept: {} would go with it", others.join(", "))));
            kept.push(one.package.clone());
        }
    }
    going.retain(|going| !kept.contains(&going.package));
    Ok(())
}

fn remark(name: &PackageName, text: &str) -> Remark {
    Remark { name: name.0.clone(), text: text.to_owned() }
}
