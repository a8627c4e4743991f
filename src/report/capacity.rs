//! What the containers of a recipe may take, beside what their host has: a small table, those that are alike in one row.
use super::style::{Hue, Style, columns, cut, indented};
use crate::capacity::{Capacity, Member, bytes};

/// What stands where there is nothing to say.
const NOTHING: &str = "";
/// How wide a label may be beside the numbers.
const NUMBERS: usize = 50;

/// Returns the table, with a line for each thing of which there is too little.
pub(super) fn table(capacity: &Capacity, style: Style) -> String {
    let mut rows = vec![row("", ["cores", "memory", "disk", "new disk"])];
    let mut groups: Vec<Vec<&Member>> = Vec::new();
    for member in &capacity.members {
        match groups.iter_mut().find(|group| takes(group[0]) == takes(member)) {
            Some(group) => group.push(member),
            None => groups.push(vec![member]),
        }
    }
    rows.extend(groups.iter().map(|group| (label(group, style), takes(group[0]))));
    if capacity.members.len() > 1 {
        rows.push(("together".to_owned(), together(&capacity.members)));
    }
    let host = [capacity.cores.to_string(), bytes(capacity.memory), String::new(), String::new()];
    rows.push(("this host".to_owned(), host));
    for place in &capacity.places {
        let free = place.free.map_or_else(|| "unknown".to_owned(), bytes);
        rows.push(row(&format!("free in {}", place.name), [NOTHING, NOTHING, NOTHING, &free]));
    }
    let left = rows.iter().map(|(label, _)| columns(label)).max().unwrap_or_default();
    let [c, m, d, n] =
        [0, 1, 2, 3].map(|at| rows.iter().map(|(_, cells)| columns(&cells[at])).max().unwrap_or_default());
    let line = |(label, cells): &(String, [String; 4])| {
        let [cores, memory, disk, new] = cells;
        let line = format!("{label:left$}  {cores:>c$}  {memory:>m$}  {disk:>d$}  {new:>n$}");
        line.trim_end().to_owned()
    };
    let mut lines: Vec<String> = rows.iter().map(line).collect();
    lines[0] = style.paint(Hue::Faint, &lines[0]);
    let unknown = capacity.places.iter().filter_map(|place| {
        let why = place.unknown.as_ref()?;
        Some(format!("what is free in `{}` is not known: {why}", place.name))
    });
    let warnings: Vec<String> = unknown.chain(capacity.over.iter().cloned()).collect();
    lines.extend(warnings.iter().map(|said| format!("{} {said}", style.paint(Hue::Look, "warning:"))));
    indented(lines, 0)
}

fn row(label: &str, cells: [&str; 4]) -> (String, [String; 4]) {
    (label.to_owned(), cells.map(str::to_owned))
}

fn label(group: &[&Member], style: Style) -> String {
    let ids: Vec<String> = group.iter().map(|member| member.id.to_string()).collect();
    match group {
        [one] => cut(&format!("{} {}", one.id, one.hostname), style.width.saturating_sub(NUMBERS)),
        _ => format!("{} each", cut(&ids.join(", "), style.width.saturating_sub(NUMBERS + " each".len()))),
    }
}

/// Returns what one takes; of one that does not run only its disk.
fn takes(member: &Member) -> [String; 4] {
    let cores = || member.cores.map_or_else(|| "all".to_owned(), |cores| cores.to_string());
    let (cores, memory) = if member.runs { (cores(), limit(member.memory)) } else { Default::default() };
    [cores, memory, limit(member.disk), new(member.new_disk)]
}

fn together(members: &[Member]) -> [String; 4] {
    let running = || members.iter().filter(|member| member.runs);
    let cores: Option<u32> = running().map(|member| member.cores).sum();
    let memory: Option<u64> = running().map(|member| member.memory).sum();
    let disk: Option<u64> = members.iter().map(|member| member.disk).sum();
    let cores = cores.map_or_else(|| "all".to_owned(), |cores| cores.to_string());
    [cores, limit(memory), limit(disk), new(members.iter().map(|member| member.new_disk).sum())]
}

fn limit(size: Option<u64>) -> String {
    size.map_or_else(|| "no limit".to_owned(), bytes)
}

fn new(size: u64) -> String {
    if size == 0 { String::new() } else { bytes(size) }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::capacity::Place;

    const GIB: u64 = 1 << 30;

    fn member(id: u32, hostname: &str) -> Member {
        Member {
            id,
            hostname: hostname.to_owned(),
            runs: true,
            cores: Some(2),
            memory: Some(4 * GIB),
            disk: Some(40 * GIB),
            new_disk: 40 * GIB,
            place: "fast".to_owned(),
        }
    }

    fn capacity(members: Vec<Member>) -> Capacity {
        let place = |name: &str, free, unknown: Option<&str>| Place {
            name: name.to_owned(),
            free,
            unknown: unknown.map(str::to_owned),
        };
        let places = vec![place("fast", Some(20 * GIB), None), place("nas", None, Some("the storage is inactive"))];
        Capacity { members, cores: 8, memory: 12 * GIB, places, over: Vec::new() }.judged()
    }

    #[test]
    fn those_that_are_alike_are_one_row_and_what_is_too_little_is_said_beneath() {
        let base = Member { runs: false, disk: Some(8 * GIB), new_disk: 0, ..member(200, "base") };
        let old = Member { cores: None, memory: None, new_disk: 0, ..member(210, "by-hand") };
        let fleet = (201..=204).map(|id| member(id, "eidolon"));
        let members = [base].into_iter().chain(fleet).chain([old]).collect();
        let expected = "
                         cores    memory       disk   new disk
200 base                                    8.0 GiB
201, 202, 203, 204 each      2   4.0 GiB   40.0 GiB   40.0 GiB
210 by-hand                all  no limit   40.0 GiB
together                   all  no limit  208.0 GiB  160.0 GiB
this host                    8  12.0 GiB
free in fast                                          20.0 GiB
free in nas                                            unknown
warning: what is free in `nas` is not known: the storage is inactive
warning: 5 containers may take 16.0 GiB of memory; this host has 12.0 GiB
warning: new disks may take 160.0 GiB of `fast`; 20.0 GiB are free there
";
        assert_eq!(format!("\n{}", table(&capacity(members), Style::plain())), expected);
    }

    #[test]
    fn one_alone_is_not_summed_up_and_many_stay_in_their_line() {
        let text = table(&capacity(vec![member(201, "lilly")]), Style::plain());
        assert!(text.starts_with("              cores    memory      disk  new disk\n201 lilly         2"), "{text}");
        assert!(!text.contains("together"), "{text}");
        let many = (201..=260).map(|id| member(id, "eidolon")).collect();
        let text = table(&capacity(many), Style { width: 80, ..Style::plain() });
        assert!(text.lines().take(4).all(|line| columns(line) <= 80), "{text}");
        assert!(text.contains("201, 202, 203, 204, 205,… each"), "{text}");
    }
}
