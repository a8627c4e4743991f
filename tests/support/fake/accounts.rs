//! The shadow tools: useradd, usermod, userdel, groupadd, groupmod, groupdel, chpasswd, with their exit codes.
use super::{FakeMachine, Table, answer, refuse};
use provision::system::{Command, Output};

const PASSWD: &str = "/etc/passwd";
const GROUP: &str = "/etc/group";
const SHADOW: &str = "/etc/shadow";

/// Options with a value, flags, and the name at the end.
struct Arguments<'a> {
    argv: &'a [String],
}

impl<'a> Arguments<'a> {
    fn of(command: &'a Command) -> Self {
        Self { argv: &command.argv }
    }

    fn value(&self, option: &str) -> Option<&'a str> {
        let at = self.argv.iter().position(|argument| argument == option)?;
        self.argv.get(at + 1).map(String::as_str)
    }

    fn has(&self, flag: &str) -> bool {
        self.argv.iter().any(|argument| argument == flag)
    }

    fn name(&self) -> &'a str {
        self.argv.last().map_or("", String::as_str)
    }
}

fn numbers(table: &Table) -> Vec<u32> {
    table.rows.iter().filter_map(|row| row.get(2)?.parse().ok()).collect()
}

fn free(taken: &[u32], system: bool) -> u32 {
    if system {
        (100..1000).rev().find(|number| !taken.contains(number)).expect("one is free")
    } else {
        (1000..60_000).find(|number| !taken.contains(number)).expect("one is free")
    }
}

fn gid_of(groups: &Table, group: &str) -> Option<String> {
    groups.rows.iter().find(|row| row[0] == group || row[2] == group).map(|row| row[2].clone())
}

fn join(groups: &mut Table, user: &str, names: &str) -> Result<(), Output> {
    for name in names.split(',') {
        let Some(row) = groups.row(name) else {
            return Err(refuse(6, &format!("group '{name}' does not exist\n")));
        };
        let mut members: Vec<String> = row[3].split(',').filter(|member| !member.is_empty()).map(Into::into).collect();
        if !members.iter().any(|member| member == user) {
            members.push(user.to_owned());
        }
        row[3] = members.join(",");
    }
    Ok(())
}

fn is_busy(machine: &FakeMachine, uid: &str) -> bool {
    let disk = machine.disk();
    let statuses: Vec<_> =
        disk.nodes.keys().filter(|path| path.starts_with("/proc") && path.ends_with("status")).collect();
    statuses.into_iter().any(|path| {
        let text = String::from_utf8_lossy(&disk.read(path).expect("a file")).into_owned();
        text.lines().any(|line| line.strip_prefix("Uid:").is_some_and(|ids| ids.split_whitespace().any(|id| id == uid)))
    })
}

pub fn useradd(machine: &FakeMachine, command: &Command) -> Output {
    let arguments = Arguments::of(command);
    let name = arguments.name();
    let (mut users, mut groups) = (Table::read(machine, PASSWD), Table::read(machine, GROUP));
    let mut shadow = Table::read(machine, SHADOW);
    if users.row(name).is_some() {
        return refuse(9, &format!("useradd: user '{name}' already exists\n"));
    }
    let taken = numbers(&users);
    let uid = match arguments.value("--uid").map(|uid| uid.parse().expect("a number")) {
        Some(uid) if taken.contains(&uid) => return refuse(4, &format!("useradd: UID {uid} is not unique\n")),
        Some(uid) => uid,
        None => free(&taken, arguments.has("--system")),
    };
    let gid = match arguments.value("--gid") {
        Some(group) => match gid_of(&groups, group) {
            Some(gid) => gid,
            None => return refuse(6, &format!("useradd: group '{group}' does not exist\n")),
        },
        None if groups.row(name).is_some() => return refuse(9, &format!("useradd: group {name} exists\n")),
        None => {
            let taken = numbers(&groups);
            let gid = if taken.contains(&uid) { free(&taken, arguments.has("--system")) } else { uid };
            groups.rows.push(vec![name.to_owned(), "x".to_owned(), gid.to_string(), String::new()]);
            gid.to_string()
        }
    };
    if let Some(Err(refused)) = arguments.value("--groups").map(|names| join(&mut groups, name, names)) {
        return refused;
    }
    let text = |option: &str| arguments.value(option).unwrap_or_default().to_owned();
    let home = text("--home-dir");
    users.rows.push(vec![name.to_owned(), "x".into(), uid.to_string(), gid, text("--comment"), home, text("--shell")]);
    let rest = ["!", "20000", "0", "99999", "7", "", "", ""].map(str::to_owned);
    shadow.rows.push([name.to_owned()].into_iter().chain(rest).collect());
    users.write(machine);
    groups.write(machine);
    shadow.write(machine);
    answer(0, "")
}

pub fn usermod(machine: &FakeMachine, command: &Command) -> Output {
    let arguments = Arguments::of(command);
    let name = arguments.name();
    let (mut users, mut groups) = (Table::read(machine, PASSWD), Table::read(machine, GROUP));
    let taken = numbers(&users);
    let Some(row) = users.row(name) else {
        return refuse(6, &format!("usermod: user '{name}' does not exist\n"));
    };
    if (arguments.has("--uid") || arguments.has("--home")) && is_busy(machine, &row[2]) {
        return refuse(8, &format!("usermod: user {name} is currently used by process 1\n"));
    }
    if let Some(uid) = arguments.value("--uid") {
        if taken.contains(&uid.parse().expect("a number")) {
            return refuse(4, &format!("usermod: UID '{uid}' already exists\n"));
        }
        let (old, new): (u32, u32) = (row[2].parse().expect("a number"), uid.parse().expect("a number"));
        let home = row[5].clone();
        let mut disk = machine.disk();
        for (_, node) in disk.nodes.iter_mut().filter(|(path, node)| path.starts_with(&home) && node.uid == old) {
            node.uid = new;
        }
        uid.clone_into(&mut row[2]);
    }
    if let Some(group) = arguments.value("--gid") {
        match gid_of(&groups, group) {
            Some(gid) => row[3] = gid,
            None => return refuse(6, &format!("usermod: group '{group}' does not exist\n")),
        }
    }
    for (option, field) in [("--comment", 4), ("--home", 5), ("--shell", 6)] {
        if let Some(value) = arguments.value(option) {
            value.clone_into(&mut row[field]);
        }
    }
    if let Some(names) = arguments.value("--groups") {
        if !arguments.has("--append") {
            groups
                .rows
                .iter_mut()
                .for_each(|row| row[3] = row[3].split(',').filter(|member| *member != name).collect());
        }
        if let Err(refused) = join(&mut groups, name, names) {
            return refused;
        }
    }
    users.write(machine);
    groups.write(machine);
    answer(0, "")
}

pub fn userdel(machine: &FakeMachine, command: &Command) -> Output {
    let name = Arguments::of(command).name();
    let (mut users, mut groups) = (Table::read(machine, PASSWD), Table::read(machine, GROUP));
    let mut shadow = Table::read(machine, SHADOW);
    let Some(row) = users.row(name) else {
        return refuse(6, &format!("userdel: user '{name}' does not exist\n"));
    };
    if is_busy(machine, &row[2]) {
        return refuse(8, &format!("userdel: user {name} is currently used by process 1\n"));
    }
    users.rows.retain(|row| row[0] != name);
    shadow.rows.retain(|row| row[0] != name);
    for row in &mut groups.rows {
        let members: Vec<&str> = row[3].split(',').filter(|member| *member != name && !member.is_empty()).collect();
        row[3] = members.join(",");
    }
    // USERGROUPS_ENAB, as Debian has it: the group of that name goes where nobody else is in it.
    groups
        .rows
        .retain(|row| row[0] != name || !row[3].is_empty() || users.rows.iter().any(|user| user.get(3) == row.get(2)));
    users.write(machine);
    groups.write(machine);
    shadow.write(machine);
    answer(0, "")
}

pub fn groupadd(machine: &FakeMachine, command: &Command) -> Output {
    let arguments = Arguments::of(command);
    let name = arguments.name();
    let mut groups = Table::read(machine, GROUP);
    if groups.row(name).is_some() {
        return refuse(9, &format!("groupadd: group '{name}' already exists\n"));
    }
    let taken = numbers(&groups);
    let gid = match arguments.value("--gid").map(|gid| gid.parse().expect("a number")) {
        Some(gid) if taken.contains(&gid) => return refuse(4, &format!("groupadd: GID '{gid}' already exists\n")),
        Some(gid) => gid,
        None => free(&taken, arguments.has("--system")),
    };
    groups.rows.push(vec![name.to_owned(), "x".to_owned(), gid.to_string(), String::new()]);
    groups.write(machine);
    answer(0, "")
}

pub fn groupmod(machine: &FakeMachine, command: &Command) -> Output {
    let arguments = Arguments::of(command);
    let name = arguments.name();
    let (mut users, mut groups) = (Table::read(machine, PASSWD), Table::read(machine, GROUP));
    let gid = arguments.value("--gid").expect("only the gid is changed").to_owned();
    if numbers(&groups).contains(&gid.parse().expect("a number")) {
        return refuse(4, &format!("groupmod: GID '{gid}' already exists\n"));
    }
    let Some(row) = groups.row(name) else {
        return refuse(6, &format!("groupmod: group '{name}' does not exist\n"));
    };
    let old = std::mem::replace(&mut row[2], gid.clone());
    users.rows.iter_mut().filter(|user| user.get(3) == Some(&old)).for_each(|user| gid.clone_into(&mut user[3]));
    users.write(machine);
    groups.write(machine);
    answer(0, "")
}

pub fn groupdel(machine: &FakeMachine, command: &Command) -> Output {
    let name = Arguments::of(command).name();
    let mut groups = Table::read(machine, GROUP);
    let Some(row) = groups.row(name) else {
        return refuse(6, &format!("groupdel: group '{name}' does not exist\n"));
    };
    let gid = row[2].clone();
    if Table::read(machine, PASSWD).rows.iter().any(|user| user.get(3) == Some(&gid)) {
        return refuse(8, "groupdel: cannot remove the primary group of a user\n");
    }
    groups.rows.retain(|row| row[0] != name);
    groups.write(machine);
    answer(0, "")
}

pub fn chpasswd(machine: &FakeMachine, command: &Command) -> Output {
    let mut shadow = Table::read(machine, SHADOW);
    for line in String::from_utf8_lossy(&command.stdin).lines() {
        let (name, hash) = line.split_once(':').expect("name:hash");
        match shadow.row(name) {
            Some(row) => hash.clone_into(&mut row[1]),
            None => return refuse(1, &format!("chpasswd: (user {name}) unknown\n")),
        }
    }
    shadow.write(machine);
    answer(0, "")
}
