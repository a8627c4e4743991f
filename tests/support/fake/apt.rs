//! apt and dpkg as far as cases need them. The server's packages are stanzas in /srv/apt/Packages; `apt-get update` copies them.
//! A stanza may have `Depends: a, b`, `Provides: a`, and `Fails: yes` for a package that can't be configured. A .deb is a stanza.
use super::disk::Body;
use super::{FakeMachine, answer, refuse};
use provision::system::{Command, Output};
use std::collections::BTreeSet;
use std::path::Path;

const SERVER: &str = "/srv/apt/Packages";
const LISTS: &str = "/var/lib/apt/lists/fake_dists_stable_main_binary-amd64_Packages";
const STATUS: &str = "/var/lib/dpkg/status";
const JOURNAL: &str = "/var/lib/dpkg/updates";
const EXTENDED: &str = "/var/lib/apt/extended_states";

pub fn apt_get(machine: &FakeMachine, command: &Command) -> Output {
    let (words, flags) = words(command);
    let Some((verb, names)) = words.split_first() else { return refuse(100, "") };
    if *verb == "update" {
        return update(machine);
    }
    if machine.disk().children(Path::new(JOURNAL)).next().is_some() {
        return refuse(
            100,
            "E: dpkg was interrupted, you must manually run 'dpkg --configure -a' to correct the problem.\n",
        );
    }
    match *verb {
        "install" if flags.contains(&"--simulate") => answer(0, ""),
        "install" => install(machine, names),
        "remove" => remove(machine, names, flags.contains(&"--simulate")),
        _ => refuse(100, &format!("E: Invalid operation {verb}\n")),
    }
}

/// Makes the files of what the server has, as tests/lab/apt-repository.sh does.
pub fn apt_repository(machine: &FakeMachine, _: &Command) -> Output {
    machine.dir("/srv/apt/repository");
    for stanza in stanzas(machine, SERVER) {
        let name = ["Package", "Version", "Architecture"].map(|field| stanza.get(field)).join("_");
        write(machine, &format!("/srv/apt/repository/{name}.deb"), &[stanza]);
    }
    answer(0, "")
}

/// `apt-mark hold NAME` and `apt-mark unhold NAME`.
pub fn apt_mark(machine: &FakeMachine, command: &Command) -> Output {
    let (from, to) = if command.argv[1] == "hold" { ("install ok", "hold ok") } else { ("hold ok", "install ok") };
    let mut known = stanzas(machine, STATUS);
    for stanza in known.iter_mut().filter(|stanza| stanza.get("Package") == command.argv[2]) {
        let status = stanza.get("Status").replace(from, to);
        stanza.set("Status", &status);
    }
    write(machine, STATUS, &known);
    answer(0, "")
}

pub fn apt_cache(machine: &FakeMachine, command: &Command) -> Output {
    if command.argv[1] == "madison" {
        let known = stanzas(machine, LISTS).into_iter().filter(|stanza| stanza.get("Package") == command.argv[2]);
        let lines = known.map(|stanza| format!("{} | {} | fake\n", stanza.get("Package"), stanza.get("Version")));
        return answer(0, &lines.collect::<Vec<_>>().concat());
    }
    let names: Vec<String> = stanzas(machine, LISTS).iter().map(|stanza| stanza.get("Package")).collect();
    answer(0, &(names.join("\n") + "\n"))
}

/// `dpkg-deb --field FILE FIELD...`.
pub fn dpkg_deb(machine: &FakeMachine, command: &Command) -> Output {
    match parse(&machine.text(&command.argv[2])).first() {
        Some(stanza) => {
            let lines = command.argv[3..].iter().map(|field| format!("{field}: {}\n", stanza.get(field)));
            answer(0, &lines.collect::<Vec<_>>().concat())
        }
        None => refuse(2, "dpkg-deb: error: it is not a Debian format archive\n"),
    }
}

/// `dpkg --configure -a`, `dpkg --install FILE`, `dpkg --unpack FILE` and `dpkg --remove NAME...`.
pub fn dpkg(machine: &FakeMachine, command: &Command) -> Output {
    let (names, flags) = words(command);
    if flags.contains(&"--remove") {
        drop_journal(machine);
        return remove(machine, &names, false);
    }
    if flags.contains(&"--install") {
        return install(machine, &names);
    }
    if flags.contains(&"--unpack") {
        let mut known = stanzas(machine, STATUS);
        for mut stanza in names.iter().flat_map(|file| stanzas(machine, file)) {
            known.retain(|known| known.get("Package") != stanza.get("Package"));
            stanza.set("Status", "install ok unpacked");
            unpack(machine, &stanza.get("Package"));
            known.push(stanza);
        }
        write(machine, STATUS, &known);
        return answer(0, "");
    }
    if !flags.contains(&"--configure") {
        return refuse(2, "dpkg: error: need an action option\n");
    }
    drop_journal(machine);
    let mut known = stanzas(machine, STATUS);
    for stanza in &mut known {
        if stanza.get("Status").ends_with("half-configured") || stanza.get("Status").ends_with("unpacked") {
            stanza.set("Status", "install ok installed");
        }
    }
    write(machine, STATUS, &known);
    answer(0, "")
}

fn drop_journal(machine: &FakeMachine) {
    let journal: Vec<_> = machine.disk().children(Path::new(JOURNAL)).cloned().collect();
    for file in journal {
        machine.disk().remove_tree(&file);
    }
}

fn words(command: &Command) -> (Vec<&str>, Vec<&str>) {
    let (mut words, mut flags) = (Vec::new(), Vec::new());
    let mut argv = command.argv[1..].iter().map(String::as_str);
    while let Some(word) = argv.next() {
        match word {
            "-o" => drop(argv.next()),
            flag if flag.starts_with('-') => flags.push(flag),
            word => words.push(word),
        }
    }
    (words, flags)
}

fn update(machine: &FakeMachine) -> Output {
    machine.dir("/var/lib/apt/lists");
    machine.disk().remove_tree(Path::new("/var/lib/apt/lists/partial"));
    machine.dir("/var/lib/apt/lists/partial");
    machine.file(LISTS, &machine.text(SERVER));
    answer(0, "Reading package lists...\n")
}

fn install(machine: &FakeMachine, names: &[&str]) -> Output {
    let server = stanzas(machine, LISTS);
    let (mut wanted, mut refused) = (Vec::new(), Vec::new());
    for name in names {
        match choose(machine, &server, name) {
            Ok(stanza) => wanted.push((stanza, false)),
            Err(why) => refused.push(why),
        }
    }
    if !refused.is_empty() {
        return refuse(100, &refused.concat());
    }
    let mut known = stanzas(machine, STATUS);
    let (mut done, mut failed) = (BTreeSet::new(), Vec::new());
    while let Some((mut stanza, automatic)) = wanted.pop() {
        let name = stanza.get("Package");
        let old = known.iter().position(|stanza| stanza.get("Package") == name);
        let there = old.is_some_and(|at| known[at].get("Status").ends_with(" installed"));
        if !done.insert(name.clone()) || (automatic && there) {
            continue;
        }
        if let Some(refusal) = old.and_then(|at| is_held(&known[at])) {
            return refusal;
        }
        for name in stanza.get("Depends").split(", ").filter(|name| !name.is_empty()) {
            let Some(needed) = server.iter().find(|stanza| stanza.get("Package") == name) else {
                return refuse(100, &format!("E: Unmet dependency {name}\n"));
            };
            wanted.push((needed.clone(), true));
        }
        let fails = stanza.get("Fails") == "yes";
        stanza.set("Status", if fails { "install ok half-configured" } else { "install ok installed" });
        if fails {
            failed.push(name.clone());
        }
        match old {
            Some(at) => known[at] = stanza,
            None => known.push(stanza),
        }
        if automatic {
            let marked =
                machine.text(EXTENDED) + &format!("Package: {name}\nArchitecture: amd64\nAuto-Installed: 1\n\n");
            machine.file(EXTENDED, &marked);
        }
        unpack(machine, &name);
    }
    write(machine, STATUS, &known);
    match failed.first() {
        Some(name) => refuse(100, &format!("dpkg: error processing package {name} (--configure):\n")),
        None => answer(0, ""),
    }
}

/// Returns what `FILE`, `NAME`, `NAME:ARCHITECTURE` or `NAME=VERSION*` stands for, or what apt-get says.
fn choose(machine: &FakeMachine, server: &[Stanza], name: &str) -> Result<Stanza, String> {
    let unknown = || format!("E: Unable to locate package {name}\n");
    if name.starts_with('/') {
        return parse(&machine.text(name)).pop().ok_or_else(unknown);
    }
    let (bare, version) = name.split_once('=').unwrap_or((name, "*"));
    let (bare, architecture) = bare.split_once(':').unwrap_or((bare, "native"));
    if !["native", "amd64", "all", "any"].contains(&architecture) {
        return Err(unknown());
    }
    let known: Vec<&Stanza> = server.iter().filter(|stanza| stanza.get("Package") == bare).collect();
    if let Some(fits) = known.iter().find(|stanza| stanza.get("Version").starts_with(version.trim_end_matches('*'))) {
        return Ok((*fits).clone());
    }
    if !known.is_empty() {
        return Err(format!("E: Version '{version}' for '{bare}' was not found\n"));
    }
    let stands_in = |stanza: &&Stanza| stanza.get("Provides").split(", ").any(|name| name == bare);
    match server.iter().filter(stands_in).collect::<Vec<_>>().as_slice() {
        [] => Err(unknown()),
        [only] => Ok((*only).clone()),
        several => {
            let lines: Vec<String> = several.iter().map(|stanza| format!("  {} 1\n", stanza.get("Package"))).collect();
            Err(format!(
                "Package {bare} is a virtual package provided by:\n{}\nE: Package '{bare}' has no installation candidate\n",
                lines.concat()
            ))
        }
    }
}

fn is_held(known: &Stanza) -> Option<Output> {
    let said = format!("The following held packages will be changed:\n  {}\n", known.get("Package"));
    let why = "E: Held packages were changed and -y was used without --allow-change-held-packages.\n";
    known.get("Status").starts_with("hold ").then(|| refuse(100, &(said + why)))
}

fn unpack(machine: &FakeMachine, name: &str) {
    machine.dir(&format!("/usr/share/doc/{name}"));
    machine.file(&format!("/usr/share/doc/{name}/copyright"), "copyright\n");
}

fn remove(machine: &FakeMachine, names: &[&str], simulate: bool) -> Output {
    let mut known = stanzas(machine, STATUS);
    let mut going: Vec<String> = names.iter().map(|name| (*name).to_owned()).collect();
    while let Some(more) = known.iter().find(|stanza| {
        let needs = stanza.get("Depends").split(", ").any(|name| going.iter().any(|going| going == name));
        needs && !going.contains(&stanza.get("Package")) && stanza.get("Status").ends_with(" installed")
    }) {
        going.push(more.get("Package"));
    }
    if simulate {
        return answer(0, &going.iter().map(|name| format!("Remv {name} [1]\n")).collect::<Vec<_>>().concat());
    }
    for name in &going {
        machine.disk().remove_tree(Path::new(&format!("/usr/share/doc/{name}")));
    }
    known.retain(|stanza| !going.contains(&stanza.get("Package")));
    write(machine, STATUS, &known);
    answer(0, "")
}

#[derive(Clone)]
struct Stanza(Vec<(String, String)>);

impl Stanza {
    fn get(&self, key: &str) -> String {
        self.0.iter().find(|(known, _)| known == key).map_or(String::new(), |(_, value)| value.clone())
    }

    fn set(&mut self, key: &str, value: &str) {
        self.0.retain(|(known, _)| known != key);
        self.0.push((key.to_owned(), value.to_owned()));
    }
}

fn stanzas(machine: &FakeMachine, path: &str) -> Vec<Stanza> {
    parse(&machine.text(path))
}

fn parse(text: &str) -> Vec<Stanza> {
    let line = |line: &str| line.split_once(": ").map(|(key, value)| (key.to_owned(), value.to_owned()));
    let stanza = |text: &str| Stanza(text.lines().filter_map(line).collect());
    text.split("\n\n").map(stanza).filter(|stanza| !stanza.0.is_empty()).collect()
}

fn write(machine: &FakeMachine, path: &str, stanzas: &[Stanza]) {
    let lines =
        |stanza: &Stanza| stanza.0.iter().map(|(key, value)| format!("{key}: {value}\n")).collect::<Vec<_>>().concat();
    let text = stanzas.iter().map(lines).collect::<Vec<_>>().join("\n");
    let is = machine.text(path);
    if is != text {
        let put = Body::File(text.into_bytes());
        machine.disk().put(Path::new(path), put, 0, 0, 0o644).expect("its directory is there");
    }
}
