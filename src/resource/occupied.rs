//! What of a machine a resource has, whatever its kind: two ids can be one file, package or unit. Told by the fields, and
//! compared by what the machine calls it.
use super::{Claim, Thing};
use crate::error::{Attempt as _, Result};
use crate::field::{PackageName, template_of};
use crate::id::Id;
use crate::system::dpkg::{Packages, Records, State};
use crate::system::fingerprint::followed;
use crate::system::unit_file::{self, UNIT_DIRECTORY};
use crate::system::{FileKind, System};
use serde_json::Value;
use std::io;
use std::mem::discriminant;
use std::path::{Path, PathBuf};

/// Links that are followed in one path, as in the kernel.
const LINKS_AT_MOST: usize = 40;

/// Returns what a resource with these fields has.
pub fn occupied(id: &Id, fields: &Value) -> Vec<Thing> {
    let name = &id.name;
    match id.kind.as_str() {
        "directory" | "file" | "git" => vec![Thing::Path(name.into())],
        "package" => vec![Thing::Package(name.clone())],
        "unit" => {
            let file = brings_file(fields).then(|| unit_path(name));
            file.into_iter().chain([Thing::Unit(name.clone())]).collect()
        }
        "user" => {
            let Some(home) = home(name, fields) else { return Vec::new() };
            let ssh = home.join(".ssh");
            let has_keys = fields.get("ssh-keys").and_then(Value::as_array).is_some_and(|keys| !keys.is_empty());
            let keys = if has_keys { vec![ssh.join("authorized_keys"), ssh] } else { Vec::new() };
            keys.into_iter().chain([home]).map(Thing::Path).collect()
        }
        _ => Vec::new(),
    }
}

/// Returns the files without which a resource with these fields would not be what it is, whoever brings them: of a unit its own
/// or that of its template.
pub fn stands_on(id: &Id, fields: &Value) -> Vec<Thing> {
    let is_masked = fields.get("masked").and_then(Value::as_bool).unwrap_or_default();
    if id.kind != "unit" || is_masked || brings_file(fields) {
        return Vec::new();
    }
    [Some(id.name.clone()), template_of(&id.name)].iter().flatten().map(|name| unit_path(name)).collect()
}

/// Returns what goes with a resource that was made so and is taken away.
pub(crate) fn goes_with(id: &Id, fields: &Value, claim: Option<&Claim>) -> Vec<Thing> {
    match id.kind.as_str() {
        // Its home stays, or a person named it.
        "user" => Vec::new(),
        // What is large or secret of its fields is not kept, nor so its content.
        "unit" if claim.is_some_and(|claim| claim.made || claim.last.contains_key("content")) => {
            vec![unit_path(&id.name), Thing::Unit(id.name.clone())]
        }
        _ => occupied(id, fields),
    }
}

/// Returns who of those who have something has one of these things.
pub(crate) fn who_has<'h>(things: Vec<Thing>, has: &'h [(Id, Thing)], sys: &dyn System) -> Result<Option<&'h Id>> {
    for thing in things {
        let sort = discriminant(&thing);
        let thing = known_as(&thing, sys)?;
        for (id, other) in has.iter().filter(|(_, other)| discriminant(other) == sort) {
            if known_as(other, sys)? == thing {
                return Ok(Some(id));
            }
        }
    }
    Ok(None)
}

fn brings_file(unit: &Value) -> bool {
    unit.get("content").or(unit.get("source")).is_some()
}

fn unit_path(name: &str) -> Thing {
    Thing::Path(Path::new(UNIT_DIRECTORY).join(name))
}

fn home(name: &str, fields: &Value) -> Option<PathBuf> {
    let is_system = fields.get("system").and_then(Value::as_bool).unwrap_or_default();
    match fields.get("home").and_then(Value::as_str) {
        Some(home) => Some(home.into()),
        None if name == "root" => Some("/root".into()),
        None => (!is_system).then(|| Path::new("/home").join(name)),
    }
}

/// Returns the thing by the name that the machine has for it.
fn known_as(thing: &Thing, sys: &dyn System) -> Result<Thing> {
    Ok(match thing {
        // Where the way can't be looked at nothing is but what the name says.
        Thing::Path(path) => Thing::Path(at_its_place(sys, path).unwrap_or_else(|_| path.clone())),
        Thing::Package(name) => Thing::Package(package(&Records::read(sys)?.packages, name)),
        Thing::Unit(name) => {
            let file =
                unit_file::find(sys, name).and_then(|file| file.map_or(Ok(None), |file| aliased(sys, &file, name)));
            Thing::Unit(file.attempt(|| format!("looking for `{name}`"))?.unwrap_or_else(|| name.clone()))
        }
        other => other.clone(),
    })
}

/// Returns apt's name of a package: of a virtual one, that of what provides it.
fn package(packages: &Packages, name: &str) -> String {
    let asked = PackageName(name.to_owned());
    let (bare, architecture) = asked.split();
    let found = packages.find(bare, architecture).filter(|found| found.state != State::Gone);
    let found = found.or_else(|| packages.provider(bare, architecture));
    found.map_or_else(|| name.to_owned(), |found| packages.apt_name(found))
}

/// Returns the unit to which the file of that name leads, where that is another one.
fn aliased(sys: &dyn System, file: &Path, name: &str) -> io::Result<Option<String>> {
    let target = followed(sys, file)?.filter(|target| target != Path::new("/dev/null"));
    let leads = target.as_deref().and_then(Path::file_name).map(|target| target.to_string_lossy().into_owned());
    // The file of an instance is that of its template.
    Ok(leads.filter(|_| file.file_name().is_some_and(|file| file == name)))
}

/// Returns the path to a thing without links on the way; what it is itself may be one.
fn at_its_place(sys: &dyn System, path: &Path) -> io::Result<PathBuf> {
    let (Some(parent), Some(name)) = (path.parent(), path.file_name()) else { return Ok(path.to_owned()) };
    Ok(without_links(sys, parent, LINKS_AT_MOST)?.join(name))
}

fn without_links(sys: &dyn System, path: &Path, links: usize) -> io::Result<PathBuf> {
    use std::path::Component;
    let mut at = PathBuf::new();
    for part in path.components() {
        match part {
            Component::CurDir => continue,
            Component::ParentDir => {
                at.pop();
                continue;
            }
            part => at.push(part),
        }
        if links > 0 && sys.lstat(&at)?.is_some_and(|is| is.kind == FileKind::Link) {
            let target = at.with_file_name("").join(sys.read_link(&at)?);
            at = without_links(sys, &target, links - 1)?;
        }
    }
    Ok(at)
}
