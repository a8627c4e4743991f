//! npm as far as cases need it. The registry's packages are /srv/fake-npm/NAME/VERSION: `program PROGRAM`, `needs-script`, or nothing.
//! A package that needs its install script has a file `built` once that has run.
use super::disk::Body;
use super::{FakeMachine, answer, refuse};
use provision::system::{Command, Output};
use std::path::{Path, PathBuf};

const REGISTRY: &str = "/srv/fake-npm";

pub fn npm(machine: &FakeMachine, command: &Command) -> Output {
    let option = |name: &str| command.argv.iter().find_map(|word| word.strip_prefix(name)?.strip_prefix('='));
    let words: Vec<&str> = command.argv[1..].iter().map(String::as_str).filter(|word| !word.starts_with('-')).collect();
    let (Some((verb, names)), Some(prefix)) = (words.split_first(), option("--prefix")) else {
        return refuse(1, "npm error Usage\n");
    };
    if let Some(cache) = option("--cache") {
        machine.dir(cache);
        machine.file(&format!("{cache}/_cacache"), "tarballs\n");
    }
    let ignored = command.argv.iter().any(|word| word == "--ignore-scripts");
    let allowed: Vec<&str> = option("--allow-scripts").map_or(Vec::new(), |names| names.split(',').collect());
    let each: Box<dyn Fn(&str) -> Output> = match *verb {
        "install" => Box::new(|name| install(machine, Path::new(prefix), name)),
        "rebuild" => Box::new(|name| rebuild(machine, Path::new(prefix), name, !ignored && allowed.contains(&name))),
        "uninstall" => Box::new(|name| uninstall(machine, Path::new(prefix), name)),
        _ => return refuse(1, &format!("npm error Unknown command: {verb}\n")),
    };
    // What fails is undone with all that was to be done.
    let before = machine.disk().nodes.clone();
    for name in names {
        let output = each(name);
        if output.code != 0 {
            machine.disk().nodes = before;
            return output;
        }
    }
    answer(0, "")
}

fn install(machine: &FakeMachine, prefix: &Path, asked: &str) -> Output {
    let at = asked.rfind('@').filter(|at| *at > 0);
    let (name, range) = at.map_or((asked, ""), |at| (&asked[..at], &asked[at + 1..]));
    let versions: Vec<PathBuf> = machine.disk().children(&Path::new(REGISTRY).join(name)).cloned().collect();
    let wanted = range.trim_start_matches('^').trim_end_matches(".x");
    let fits = |path: &&PathBuf| {
        let version = path.file_name().expect("a child has a name").to_string_lossy().into_owned();
        ["latest", "nightly"].contains(&range) || version.starts_with(wanted)
    };
    let Some(version) = versions.iter().rev().find(fits) else {
        return refuse(1, &format!("npm error code E404\nnpm error 404 '{asked}' is not in this registry.\n"));
    };
    let program = program_of(machine, version);
    let version = version.file_name().expect("a child has a name").to_string_lossy();
    let directory = directory(prefix, name);
    machine.disk().remove_tree(&directory);
    machine.dir(&directory.display().to_string());
    let bin = program.as_ref().map_or(String::new(), |program| format!(",\"bin\":{{\"{program}\":\"cli.js\"}}"));
    let manifest = format!("{{\"name\":\"{name}\",\"version\":\"{version}\"{bin}}}");
    machine.file(&directory.join("package.json").display().to_string(), &manifest);
    machine.file(&directory.join("cli.js").display().to_string(), "#!/usr/bin/env node\n");
    link(machine, prefix, name, program.as_deref());
    answer(0, "")
}

fn rebuild(machine: &FakeMachine, prefix: &Path, name: &str, scripts: bool) -> Output {
    let directory = directory(prefix, name);
    let manifest = machine.text(&directory.join("package.json").display().to_string());
    let version = manifest.split("\"version\":\"").nth(1).and_then(|rest| rest.split('"').next()).unwrap_or_default();
    let source = Path::new(REGISTRY).join(name).join(version);
    if manifest.is_empty() {
        return answer(0, "");
    }
    link(machine, prefix, name, program_of(machine, &source).as_deref());
    if scripts && machine.text(&source.display().to_string()).contains("needs-script") {
        machine.file(&directory.join("built").display().to_string(), "");
    }
    answer(0, "rebuilt dependencies successfully\n")
}

fn uninstall(machine: &FakeMachine, prefix: &Path, name: &str) -> Output {
    let target = directory(prefix, name);
    let bin = prefix.join("bin");
    let links: Vec<PathBuf> = machine.disk().children(&bin).cloned().collect();
    for link in links {
        let ours = matches!(machine.disk().node(&link).map(|node| node.body.clone()), Some(Body::Link(to)) if to.starts_with(&target));
        if ours {
            machine.disk().remove_tree(&link);
        }
    }
    machine.disk().remove_tree(&target);
    answer(0, "")
}

fn directory(prefix: &Path, name: &str) -> PathBuf {
    prefix.join("lib/node_modules").join(name)
}

fn program_of(machine: &FakeMachine, version: &Path) -> Option<String> {
    let text = machine.text(&version.display().to_string());
    text.lines().find_map(|line| line.strip_prefix("program ")).map(str::to_owned)
}

fn link(machine: &FakeMachine, prefix: &Path, name: &str, program: Option<&str>) {
    let Some(program) = program else { return };
    let bin = prefix.join("bin");
    machine.dir(&bin.display().to_string());
    let target = Body::Link(directory(prefix, name).join("cli.js"));
    machine.disk().put(&bin.join(program), target, 0, 0, 0o777).expect("its directory is there");
}
