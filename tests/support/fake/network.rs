//! ifup, ifdown, ip and nft, as far as bridges go: interfaces below /sys, addresses and routes in /proc/net, tables in a file.
use super::{FakeMachine, answer, refuse};
use provision::field::{Cidr, Field as _};
use provision::system::{Command, Output};
use std::net::IpAddr;
use std::path::Path;

const TABLES: &str = "/run/nftables";

pub fn ifup(machine: &FakeMachine, command: &Command) -> Output {
    let ["ifup", .., name] = words(command)[..] else { return refuse(1, "ifup: unexpected arguments\n") };
    let stanza = machine.text(&format!("/etc/network/interfaces.d/{name}"));
    if !stanza.contains(&format!("iface {name} ")) {
        return refuse(1, &format!("ifup: unknown interface {name}\n"));
    }
    machine.dir(&format!("/sys/class/net/{name}/bridge"));
    machine.dir(&format!("/sys/class/net/{name}/brif"));
    machine.file(&format!("/sys/class/net/{name}/flags"), "0x1003\n");
    for line in stanza.lines().map(str::trim) {
        if let Some(address) = line.strip_prefix("address ") {
            add_address(machine, name, address);
        } else if let Some(file) = line.strip_prefix("pre-up echo 1 >") {
            machine.dir("/proc/sys/net/ipv4");
            machine.file(file, "1\n");
        } else if let Some(script) = line.strip_prefix("pre-up nft ") {
            run_nft(machine, script.trim_matches('\''));
        }
    }
    answer(0, "")
}

pub fn ifdown(machine: &FakeMachine, command: &Command) -> Output {
    let ["ifdown", "--force", name] = words(command)[..] else { return refuse(1, "ifdown: unexpected arguments\n") };
    let stanza = machine.text(&format!("/etc/network/interfaces.d/{name}"));
    let scripts = stanza.lines().filter_map(|line| line.trim().strip_prefix("down nft "));
    scripts.for_each(|script| run_nft(machine, script.trim_matches('\'')));
    delete(machine, name);
    answer(0, "")
}

pub fn ip(machine: &FakeMachine, command: &Command) -> Output {
    match words(command)[..] {
        ["ip", "address", "delete", address, "dev", name] => {
            let kept = |line: &str| line != format!("{name} {address}");
            let lines: Vec<String> = addresses(machine).into_iter().filter(|line| kept(line)).collect();
            show(machine, &lines);
        }
        ["ip", "link", "delete", "dev", name] => delete(machine, name),
        ["ip", "link", "add", "name", name, "type", "veth", "peer", "name", other] => {
            for name in [name, other] {
                machine.dir(&format!("/sys/class/net/{name}"));
            }
        }
        ["ip", "link", "set", "dev", name, "master", bridge] => {
            machine.dir(&format!("/sys/class/net/{bridge}/brif/{name}"));
        }
        ["ip", "link", "set", "dev", name, "up"] => {
            machine.file(&format!("/sys/class/net/{name}/flags"), "0x1003\n");
        }
        ["ip", "link", "set", "dev", name, "down"] => {
            machine.file(&format!("/sys/class/net/{name}/flags"), "0x1002\n");
        }
        ["ip", "link", "add", "name", name, "type", "bridge"] => {
            machine.dir(&format!("/sys/class/net/{name}/bridge"));
            machine.file(&format!("/sys/class/net/{name}/flags"), "0x1003\n");
        }
        ["ip", "address", "add", address, "dev", name] => add_address(machine, name, address),
        _ => return refuse(255, &format!("ip: unexpected {}\n", command.shown())),
    }
    answer(0, "")
}

pub fn nft(machine: &FakeMachine, command: &Command) -> Output {
    match words(command)[..] {
        ["nft", "list", "ruleset"] => answer(0, &machine.text(TABLES)),
        ["nft", "list", "table", family, table] => {
            match machine.text(TABLES).lines().find_map(|line| line.strip_prefix(&format!("{family} {table}: "))) {
                Some(rule) => {
                    answer(0, &format!("\t\ttype nat hook postrouting priority srcnat; policy accept;\n\t\t{rule}\n"))
                }
                None => refuse(1, "Error: No such file or directory\n"),
            }
        }
        ["nft", script] => {
            run_nft(machine, script);
            answer(0, "")
        }
        _ => refuse(1, &format!("nft: unexpected {}\n", command.shown())),
    }
}

/// `table F T; delete table F T`, and perhaps `; table F T { chain postrouting { type …; policy …; RULE; }; }`.
fn run_nft(machine: &FakeMachine, script: &str) {
    let (family_and_table, _) = script.strip_prefix("table ").unwrap().split_once(';').unwrap();
    let others = machine.text(TABLES);
    let mut lines: Vec<String> =
        others.lines().filter(|line| !line.starts_with(&format!("{family_and_table}: "))).map(str::to_owned).collect();
    if let Some((_, rest)) = script.split_once("policy accept; ") {
        lines.push(format!("{family_and_table}: {}", rest.split_once(';').unwrap().0));
    }
    machine.file(TABLES, &lines.concat());
}

fn words(command: &Command) -> Vec<&str> {
    command.argv.iter().map(String::as_str).collect()
}

fn delete(machine: &FakeMachine, name: &str) {
    machine.disk().remove_tree(Path::new(&format!("/sys/class/net/{name}")));
    let all = machine.disk().list(Path::new("/sys/class/net")).unwrap_or_default();
    for bridge in all {
        machine.disk().remove_tree(&Path::new("/sys/class/net").join(bridge).join("brif").join(name));
    }
    let gone = format!("{name} ");
    let lines: Vec<String> = addresses(machine).into_iter().filter(|line| !line.starts_with(&gone)).collect();
    show(machine, &lines);
}

fn add_address(machine: &FakeMachine, name: &str, address: &str) {
    let mut lines = addresses(machine);
    let line = format!("{name} {address}");
    if !lines.contains(&line) {
        lines.push(line);
        show(machine, &lines);
    }
}

/// `vmbr1 10.0.0.1/24`, a line each.
fn addresses(machine: &FakeMachine) -> Vec<String> {
    machine.text("/run/addresses").lines().map(str::to_owned).collect()
}

fn show(machine: &FakeMachine, lines: &[String]) {
    machine.file("/run/addresses", &lines.iter().flat_map(|line| [line.as_str(), "\n"]).collect::<String>());
    let (mut routes, mut trie) = ("Iface Destination\n".to_owned(), "Local:\n".to_owned());
    for line in lines {
        let (name, address) = line.split_once(' ').unwrap();
        let cidr = Cidr::from_text(address).unwrap();
        let (IpAddr::V4(network), IpAddr::V4(own)) = (cidr.network().address, cidr.address) else { continue };
        let mask = u32::MAX.checked_shl(32 - u32::from(cidr.prefix)).unwrap_or(0).to_be();
        let route = format!("{name} {:08X} 00000000 0001 0 0 0 {mask:08X} 0 0 0\n", network.to_bits().to_be());
        routes.push_str(&route);
        trie.push_str(&["     |-- ", &own.to_string(), "\n        /32 host LOCAL\n"].concat());
    }
    machine.dir("/proc/net");
    machine.file("/proc/net/route", &routes);
    machine.file("/proc/net/fib_trie", &trie);
}
