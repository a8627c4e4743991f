//! A container that is there, as a recipe: the reverse of `asked`. What is written is read again as a recipe is, and compared
//! with what was found: what a recipe cannot say, or not exactly, is left out and noted.
use super::asked::Container;
use crate::container::{self, Changed, Found, Mount, Net, Settings, What};
use crate::error::{Error, Result};
use crate::field::{Field as _, Given, HostName};
use serde::Deserialize as _;
use serde_json::{Map, Value, json};
use std::fmt::Write as _;

/// A container as a recipe says it, and what a recipe can't say of it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Imported {
    /// A `[[container]]`, with the notes as comments before it.
    pub table: String,
    /// What no recipe can say, a line each.
    pub notes: Vec<String>,
}

/// Returns the recipe of a container whose plan changes nothing of it, once it is adopted. `beyond` is what its driver knows
/// besides that no recipe can say.
///
/// # Errors
/// What is under this id is no container that a recipe can take over as it is.
pub fn imported(id: u32, found: &Found, beyond: Vec<String>) -> Result<Imported> {
    let attempt = || Error::new(format!("importing container {id}"));
    if let Some((why, remedy)) = refusal(id, found) {
        return Err(attempt().reason(why).remedy(remedy));
    }
    let hostname = found.settings.hostname.clone().unwrap_or_default();
    if HostName::from_text(&hostname).is_err() {
        let why = format!("its host name is `{hostname}`, and a recipe needs one of letters, digits and `-`");
        return Err(attempt().reason(why).remedy("rename it first"));
    }
    let fields = Map::from_iter([("id".to_owned(), json!(id)), ("hostname".to_owned(), json!(hostname))]);
    // What was taken away inside is no matter of how it is set.
    let found = Found { mounted: None, ..found.clone() };
    let mut draft = Draft { found: &found, fields, notes: beyond };
    draft.write(&found.settings);
    draft.say_what_a_plan_changes()?;
    let Draft { fields, notes, .. } = draft;
    let notes: Vec<String> = notes.iter().map(|note| note.replace(char::is_control, " ")).collect();
    Ok(Imported { table: table(id, &fields, &notes), notes })
}

/// Returns why what is there can't be taken over as it is, and what to do.
fn refusal(id: u32, found: &Found) -> Option<(String, String)> {
    let (why, remedy) = match (&found.what, &found.lock) {
        (What::Machine, _) => ("it is the id of a virtual machine".to_owned(), "name a container".to_owned()),
        (What::Elsewhere(node), _) => {
            (format!("it is the id of something on the node `{node}`"), format!("run this on `{node}`"))
        }
        (What::Template, _) => (
            "it is a template, which never runs".to_owned(),
            format!("give `clone = {id}` to a [[container]] that is to be made from it"),
        ),
        (What::Unfinished | What::Half, _) => (
            "a killed run left it half made: there is nothing in it yet".to_owned(),
            "apply a recipe that makes it; for one of somebody else's `--adopt` allows that".to_owned(),
        ),
        (What::Container, Some(lock)) => {
            (format!("it is locked ({lock})"), "run this again once that has ended".to_owned())
        }
        (What::Container, None) => return None,
    };
    Some((why, remedy))
}

struct Draft<'f> {
    found: &'f Found,
    fields: Map<String, Value>,
    notes: Vec<String>,
}

impl Draft<'_> {
    /// Writes what differs from a container of which a recipe says nothing, and what one that is made anew must have.
    fn write(&mut self, is: &Settings) {
        match &is.template {
            Some(template) => self.put("template", json!(template)),
            None => self.notes.push("its template: to make it anew, name one as `template`".to_owned()),
        }
        self.put_where("unprivileged", is.unprivileged, |on| !on);
        self.put_some("storage", is.storage.as_ref().map(|storage| json!(storage)));
        self.put_some("disk", is.disk.map(|disk| json!(disk.to_string())));
        self.put_some("cores", is.cores.map(|cores| json!(cores)));
        self.put_some("memory", is.memory.map(|memory| json!(memory.to_string())));
        self.put_some("swap", is.swap.map(|swap| json!(swap.to_string())));
        is.nets.iter().for_each(|net| self.net(net));
        is.mounts.iter().for_each(|mount| self.mount(mount));
        let features = is.features.each().into_iter().filter(|(_, on)| *on == Some(true));
        self.part_by_part("features", features.map(|(name, on)| (name, json!(on))).collect());
        self.put_where("onboot", is.onboot, |on| !on);
        let startup = is.startup.each().into_iter().filter_map(|(name, number)| Some((name, json!(number?))));
        self.part_by_part("startup", startup.collect());
        if !is.nameserver.is_empty() {
            self.put("nameserver", json!(is.nameserver));
        }
        self.put_some("searchdomain", is.searchdomain.as_ref().map(|domain| json!(domain)));
        is.tags.iter().for_each(|tag| self.push("tags", &json!(tag)));
        let description = is.description.as_ref().filter(|text| !text.is_empty());
        self.put_some("description", description.map(|text| json!(text)));
        self.put_where("protection", is.protection, |on| on);
        self.put_where("running", Some(self.found.running), |on| !on);
    }

    fn net(&mut self, net: &Net) {
        let mut asked = json!({ "name": net.name, "bridge": net.bridge });
        if let Some(why) = self.wrong("network", &self.with("network", asked.clone())) {
            self.notes.push(format!("network.{}: {why}", net.name));
            return;
        }
        let mut parts = vec![
            ("address", net.address.map(|address| json!(address.to_string()))),
            ("gateway", net.gateway.map(|gateway| json!(gateway))),
            ("vlan", net.vlan.map(|vlan| json!(vlan))),
            ("mtu", net.mtu.map(|mtu| json!(mtu))),
            ("firewall", net.firewall.filter(|on| *on).map(|on| json!(on))),
            ("mac", net.mac.as_ref().map(|mac| json!(mac))),
        ];
        for (name, value) in parts.drain(..).filter_map(|(name, value)| Some((name, value?))) {
            let mut more = asked.clone();
            more[name] = value.clone();
            match self.wrong("network", &self.with("network", more.clone())) {
                Some(why) => self.notes.push(format!("network.{}.{name}: {}: {why}", net.name, shown(&value))),
                None => asked = more,
            }
        }
        self.push("network", &asked);
    }

    fn mount(&mut self, mount: &Mount) {
        // A volume or a device is no directory of the host; its driver has named it.
        if !mount.source.starts_with('/') || mount.source.starts_with("/dev/") {
            return;
        }
        let mut asked = json!({ "source": mount.source, "target": mount.target });
        for (name, on) in [("read-only", mount.read_only), ("backup", mount.backup)] {
            if on {
                asked[name] = json!(true);
            }
        }
        self.push("mounts", &asked);
    }

    fn put_some(&mut self, key: &str, value: Option<Value>) {
        if let Some(value) = value {
            self.put(key, value);
        }
    }

    fn put_where(&mut self, key: &str, is: Option<bool>, which: impl Fn(bool) -> bool) {
        self.put_some(key, is.filter(|on| which(*on)).map(|on| json!(on)));
    }

    fn part_by_part(&mut self, key: &str, parts: Vec<(&str, Value)>) {
        if !parts.is_empty() {
            self.put(key, Value::Object(parts.into_iter().map(|(name, value)| (name.to_owned(), value)).collect()));
        }
    }

    /// Gives a field its value where a recipe can say that, else notes it.
    fn put(&mut self, key: &str, value: Value) {
        match self.wrong(key, &value) {
            Some(why) => self.notes.push(format!("{key}: {}: {why}", shown(&value))),
            None => _ = self.fields.insert(key.to_owned(), value),
        }
    }

    /// Adds one to a list where a recipe can say that, else notes it.
    fn push(&mut self, key: &str, value: &Value) {
        let all = self.with(key, value.clone());
        match self.wrong(key, &all) {
            Some(why) => self.notes.push(format!("{key}: {}: {why}", shown(value))),
            None => _ = self.fields.insert(key.to_owned(), all),
        }
    }

    fn with(&self, key: &str, value: Value) -> Value {
        let mut all = self.fields.get(key).and_then(Value::as_array).cloned().unwrap_or_default();
        all.push(value);
        Value::Array(all)
    }

    /// Returns why a recipe cannot say this of the container, or not exactly.
    fn wrong(&self, key: &str, value: &Value) -> Option<String> {
        let mut fields = self.fields.clone();
        fields.insert(key.to_owned(), value.clone());
        let asked = match read(fields) {
            Ok(asked) => asked,
            Err(why) => return Some(why),
        };
        let below = format!("{key}.");
        let is_of = |field: &str| field == key || field.starts_with(&below);
        let differs = changes(&asked, self.found).into_iter().find(|change| is_of(&change.field))?;
        Some(format!("a recipe would make it `{}`", differs.to))
    }

    /// Notes what stays different: a default holds where a recipe cannot say what is.
    fn say_what_a_plan_changes(&mut self) -> Result<()> {
        let broken = |why: String| Error::new("reading what was written of a container").reason(why);
        let asked = read(self.fields.clone()).map_err(broken)?;
        for change in changes(&asked, self.found) {
            let from = change.from.as_deref().unwrap_or("nothing");
            self.notes.push(format!("a plan changes {}: {from} -> {}", change.field, change.to));
        }
        for owed in &self.found.owed {
            self.notes.push(format!("{} is set and takes effect at the next start", owed.field));
        }
        Ok(())
    }
}

/// Reads the fields of a job as those of a recipe are read.
pub(super) fn given(fields: &Value) -> Result<Container, String> {
    Container::deserialize(Given::from_json(fields)).map_err(|wrong| wrong.message().to_owned())
}

fn read(fields: Map<String, Value>) -> Result<Container, String> {
    let asked = given(&Value::Object(fields))?;
    match asked.all_mistakes().into_iter().next() {
        Some(mistake) => Err(mistake.message),
        None => Ok(asked),
    }
}

/// Returns what a plan would change of it.
fn changes(asked: &Container, found: &Found) -> Vec<Changed> {
    let settings = asked.settings_beside(&found.settings);
    let fixed = container::fixed(&settings, &found.settings);
    container::edits(&settings, found).into_iter().flat_map(|edit| edit.changes).chain(fixed).collect()
}

fn shown(value: &Value) -> String {
    value.as_str().map_or_else(|| value.to_string(), str::to_owned)
}

fn table(id: u32, fields: &Map<String, Value>, notes: &[String]) -> String {
    let mut text = String::new();
    if !notes.is_empty() {
        let _ = writeln!(text, "# Of container {id} a recipe does not say:");
        for note in notes {
            let _ = writeln!(text, "#   {note}");
        }
    }
    text.push_str("[[container]]\n");
    let width = fields.keys().map(String::len).max().unwrap_or_default();
    for (key, value) in fields {
        let _ = writeln!(text, "{key:width$} = {}", toml(value));
    }
    text
}

/// Returns a value as TOML has it. Two braces of its own are no expression.
fn toml(value: &Value) -> String {
    match value {
        Value::String(text) => toml::Value::from(text.replace("{{", "{{ '{{' }}")).to_string(),
        Value::Array(items) if items.len() > 1 && items.iter().all(Value::is_object) => {
            let lines: Vec<String> = items.iter().map(|item| format!("  {},", toml(item))).collect();
            format!("[\n{}\n]", lines.join("\n"))
        }
        Value::Array(items) => format!("[{}]", items.iter().map(toml).collect::<Vec<_>>().join(", ")),
        Value::Object(parts) => {
            let parts: Vec<String> = parts.iter().map(|(key, value)| format!("{key} = {}", toml(value))).collect();
            format!("{{ {} }}", parts.join(", "))
        }
        other => other.to_string(),
    }
}
