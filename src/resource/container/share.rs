//! What of the host the containers of a recipe may take, once they are as asked.
use super::asked::Container;
use super::import::given;
use crate::capacity::{Capacity, Member, Place};
use crate::container::{Driver, Room, Settings, What};
use crate::error::{Error, Result};
use crate::item::Item;
use crate::resource::Want;
use crate::system::System;

/// Returns what the containers among these items may take, and what is free where their disks are. Where files don't tell and
/// there is a disk to be made, the host is asked.
pub fn capacity<'a>(items: impl Iterator<Item = &'a Item>, driver: &dyn Driver, sys: &dyn System) -> Result<Capacity> {
    let mut all = Capacity::default();
    for item in items.filter(|item| item.job.kind == "container" && item.job.want == Want::Present) {
        // One that can't be read was no item.
        let Ok(asked) = given(&item.job.fields) else { continue };
        let (mut member, free) = asked.share(driver, sys)?;
        if let Some(base) = asked.clone().and_then(|name| all.members.iter().find(|base| is_named(base, &name.0)))
            && member.new_disk > 0
            && base.disk > member.disk
        {
            // It begins as a copy of that.
            member.disk = base.disk;
            member.new_disk = base.disk.unwrap_or_default();
        }
        if !all.places.iter().any(|place| place.name == member.place) {
            all.places.push(Place { name: member.place.clone(), free, unknown: None });
        }
        all.members.push(member);
    }
    ask_free(&mut all, driver, sys);
    Ok(all)
}

fn ask_free(all: &mut Capacity, driver: &dyn Driver, sys: &dyn System) {
    let grows = |place: &Place| all.members.iter().any(|member| member.place == place.name && member.new_disk > 0);
    let mut untold: Vec<&mut Place> =
        all.places.iter_mut().filter(|place| place.free.is_none() && grows(place)).collect();
    if untold.is_empty() {
        return;
    }
    let names: Vec<String> = untold.iter().map(|place| place.name.clone()).collect();
    let names: Vec<&str> = names.iter().map(String::as_str).collect();
    for (place, told) in untold.iter_mut().zip(driver.ask_free(sys, &names)) {
        match told {
            Ok(free) => place.free = Some(free),
            Err(error) => place.unknown = Some(why(&error)),
        }
    }
}

/// Returns an error in a line: what was tried, why it failed, the last that was printed, what to do.
fn why(error: &Error) -> String {
    let parts = [&error.attempt].into_iter().chain(&error.causes).chain(error.output.last()).chain(&error.remedy);
    parts.map(String::as_str).collect::<Vec<_>>().join(": ")
}

fn is_named(member: &Member, name: &str) -> bool {
    member.hostname == name || member.id.to_string() == name
}

impl Container {
    /// Returns what it may take, and the bytes that are free where its disk is.
    fn share(&self, driver: &dyn Driver, sys: &dyn System) -> Result<(Member, Option<u64>)> {
        let found = driver.found(sys, self.id.0)?;
        let found = found.filter(|found| matches!(found.what, What::Container | What::Template));
        let is = found.as_ref().map(|found| &found.settings);
        let asked = is.map_or_else(|| self.settings(), |is| self.settings_beside(is));
        let none = Settings::default();
        let is_or_none = is.unwrap_or(&none);
        let disk = asked.disk.max(is_or_none.disk).map(|size| size.0);
        let there = if is.is_some() { is_or_none.disk.map_or(disk, |size| Some(size.0)) } else { None };
        let storage = is_or_none.storage.as_deref().or(asked.storage.as_deref());
        let usual = |_| Room { place: storage.unwrap_or_default().to_owned(), free: None };
        let room = driver.room(sys, storage).unwrap_or_else(usual);
        let member = Member {
            id: self.id.0,
            hostname: self.hostname.0.clone(),
            runs: self.running && !self.base,
            cores: asked.cores.or(is_or_none.cores),
            memory: asked.memory.or(is_or_none.memory).map(|size| size.0),
            disk,
            new_disk: disk.unwrap_or_default().saturating_sub(there.unwrap_or_default()),
            place: room.place,
        };
        Ok((member, room.free))
    }
}
