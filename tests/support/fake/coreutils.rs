//! The few programs of every Debian that cases run: cat, chown, cp, echo, id, rm, sh, tee, test, touch.
use super::disk::Body;
use super::{FakeMachine, PROGRAMS, answer, refuse};
use provision::system::{Command, FileKind, Output};
use std::path::{Path, PathBuf};

pub fn cat(machine: &FakeMachine, command: &Command) -> Output {
    let mut printed = Vec::new();
    for name in &command.argv[1..] {
        match machine.disk().read(&at(command, name)) {
            Ok(bytes) => printed.extend(bytes),
            Err(error) => return refuse(1, &format!("cat: {name}: {error}\n")),
        }
    }
    Output { code: 0, stdout: printed, stderr: Vec::new() }
}

/// `cp --archive … FROM TO`, a directory that is not there yet.
pub fn cp(machine: &FakeMachine, command: &Command) -> Output {
    let [.., from, to] = command.argv.as_slice() else { return refuse(1, "cp: usage\n") };
    let mut disk = machine.disk();
    let copied: Vec<_> = disk.nodes.iter().filter(|(path, _)| path.starts_with(from)).collect();
    let place = |path: &Path| Path::new(to).join(path.strip_prefix(from).expect("it begins so"));
    let copied: Vec<_> = copied.into_iter().map(|(path, node)| (place(path), node.clone())).collect();
    if copied.is_empty() {
        return refuse(1, &format!("cp: cannot stat '{from}'\n"));
    }
    disk.nodes.extend(copied);
    answer(0, "")
}

/// `chown --recursive --no-dereference --from=U OWNER PATH`, or `--from=:G :GROUP`.
pub fn chown(machine: &FakeMachine, command: &Command) -> Output {
    let [_, "--recursive", "--no-dereference", from, to, path] =
        command.argv.iter().map(String::as_str).collect::<Vec<_>>()[..]
    else {
        return refuse(1, "chown: unexpected arguments\n");
    };
    let number = |text: &str| text.trim_start_matches(':').parse::<u32>().expect("a number");
    let (from, new) = (from.trim_start_matches("--from="), number(to));
    let (old, group) = (number(from), from.starts_with(':'));
    let mut disk = machine.disk();
    for (_, node) in disk.nodes.iter_mut().filter(|(found, _)| found.starts_with(path)) {
        let owner = if group { &mut node.gid } else { &mut node.uid };
        *owner = if *owner == old { new } else { *owner };
    }
    answer(0, "")
}

pub fn echo(_: &FakeMachine, command: &Command) -> Output {
    let words = command.argv[1..].iter().map(|word| match word.strip_prefix('$') {
        Some(name) => command.env.iter().find(|(known, _)| known == name).map_or("", |(_, value)| value.as_str()),
        None => word.as_str(),
    });
    answer(0, &format!("{}\n", words.collect::<Vec<_>>().join(" ")))
}

/// `id -un`: who runs it.
pub fn id(_: &FakeMachine, command: &Command) -> Output {
    answer(0, &format!("{}\n", command.user.as_deref().unwrap_or("root")))
}

pub fn rm(machine: &FakeMachine, command: &Command) -> Output {
    for name in command.argv[1..].iter().filter(|name| !name.starts_with('-')) {
        machine.disk().remove_tree(&at(command, name));
    }
    answer(0, "")
}

/// Each line of the script a program of this machine, with its words, or several of which the first that succeeds is the last.
pub fn sh(machine: &FakeMachine, command: &Command) -> Output {
    if let [_, _, script, file, name, ..] = command.argv.as_slice()
        && script == "exec \"$@\" <\"$0\""
        && let Some((_, program)) = PROGRAMS.iter().find(|(known, _)| known == name)
    {
        let Ok(stdin) = machine.disk().read(Path::new(file)) else { return refuse(2, "sh: cannot open it\n") };
        return program(machine, &Command { argv: command.argv[4..].to_vec(), stdin, ..command.clone() });
    }
    if let [_, _, script, _, name, ..] = command.argv.as_slice()
        && let Some(words) = script.strip_prefix("\"$@\" && echo ")
        && let Some((_, program)) = PROGRAMS.iter().find(|(known, _)| known == name)
    {
        let mut output = program(machine, &Command { argv: command.argv[4..].to_vec(), ..command.clone() });
        if output.code == 0 {
            output.stdout.extend(format!("{words}\n").into_bytes());
        }
        return output;
    }
    if let [_, _, script] = command.argv.as_slice()
        && let Some((word, file)) = script.strip_prefix("echo ").and_then(|script| script.split_once(" >"))
    {
        machine.dir(&Path::new(file).parent().expect("it is absolute").display().to_string());
        machine.file(file, &format!("{word}\n"));
        return answer(0, "");
    }
    let script = String::from_utf8_lossy(&command.stdin).into_owned();
    let mut last = answer(0, "");
    for line in script.lines().map(str::trim).filter(|line| !line.is_empty() && !line.starts_with('#')) {
        for part in line.split(" || ") {
            let argv: Vec<String> = part.split_whitespace().map(str::to_owned).collect();
            let Some((_, program)) = PROGRAMS.iter().find(|(name, _)| *name == argv[0]) else {
                return refuse(127, &format!("sh: {}: not found\n", argv[0]));
            };
            let output = program(machine, &Command { argv, stdin: Vec::new(), ..command.clone() });
            last.code = output.code;
            last.stdout.extend(output.stdout);
            last.stderr.extend(output.stderr);
            if last.code == 0 {
                break;
            }
        }
    }
    last
}

pub fn tee(machine: &FakeMachine, command: &Command) -> Output {
    for name in &command.argv[1..] {
        machine.file(&at(command, name).display().to_string(), &String::from_utf8_lossy(&command.stdin));
    }
    Output { code: 0, stdout: command.stdin.clone(), stderr: Vec::new() }
}

pub fn test(machine: &FakeMachine, command: &Command) -> Output {
    let (no, argv) = match command.argv[1..].split_first() {
        Some((first, rest)) if first == "!" => (true, rest),
        _ => (false, &command.argv[1..]),
    };
    let [flag, name] = argv else { return refuse(2, "test: two arguments are expected\n") };
    let disk = machine.disk();
    let stat = disk.stat(&disk.resolve_all(&at(command, name), 0));
    let holds = match flag.as_str() {
        "-e" => stat.is_some(),
        "-s" => stat.is_some_and(|stat| stat.size > 0),
        "-f" => stat.is_some_and(|stat| stat.kind == FileKind::File),
        "-d" => stat.is_some_and(|stat| stat.kind == FileKind::Directory),
        _ => return refuse(2, &format!("test: {flag}: unknown\n")),
    };
    answer(i32::from(holds == no), "")
}

pub fn touch(machine: &FakeMachine, command: &Command) -> Output {
    for name in &command.argv[1..] {
        let path = at(command, name);
        let mut disk = machine.disk();
        let done = match disk.node(&path) {
            Some(_) => disk.change(&path, |_| ()),
            None => disk.put(&path, Body::File(Vec::new()), 0, 0, 0o644),
        };
        if let Err(error) = done {
            return refuse(1, &format!("touch: cannot touch '{name}': {error}\n"));
        }
    }
    answer(0, "")
}

fn at(command: &Command, name: &str) -> PathBuf {
    command.cwd.as_deref().unwrap_or(Path::new("/")).join(name)
}
