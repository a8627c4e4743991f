//! A random recipe over the kinds that need nothing but this machine.
use super::here::item;
use provision::item::Item;
use provision::system::{Command, Real, System as _};
use serde_json::{Value, json};
use std::path::{Path, PathBuf};

const ROOT: &str = "/srv/random";

/// What chance decides, in order; zeros once it is used up.
pub struct Dice {
    throws: Vec<u16>,
    next: usize,
}

impl Dice {
    pub fn new(throws: Vec<u16>) -> Self {
        Self { throws, next: 0 }
    }

    pub fn below(&mut self, n: usize) -> usize {
        self.next += 1;
        usize::from(self.throws.get(self.next - 1).copied().unwrap_or_default()) % n
    }

    pub fn of<T: Clone>(&mut self, choices: &[T]) -> T {
        choices[self.below(choices.len())].clone()
    }
}

/// One resource.
#[derive(Debug, Clone)]
pub struct Thing {
    pub kind: &'static str,
    /// A name, or a path.
    pub name: String,
    pub fields: Value,
}

impl Thing {
    pub fn id(&self) -> String {
        format!("{}:{}", self.kind, self.name)
    }

    /// The path that is there because of it.
    pub fn path(&self) -> Option<PathBuf> {
        match self.kind {
            "directory" | "file" => Some(PathBuf::from(&self.name)),
            "command" => Some(PathBuf::from(self.fields["creates"].as_str()?)),
            "unit" => Some(Path::new("/etc/systemd/system").join(&self.name)),
            _ => None,
        }
    }
}

#[derive(Debug)]
pub struct World {
    pub things: Vec<Thing>,
}

impl World {
    pub fn new(dice: &mut Dice) -> Self {
        let mut things =
            vec![Thing { kind: "directory", name: ROOT.to_owned(), fields: json!({ "path": ROOT, "mode": "0755" }) }];
        let mut owners = vec![json!("root"), json!(1234), json!("daemon")];
        let mut groups = vec![json!("root"), json!(4321), json!("games")];
        for name in ["rg-one", "rg-two"].into_iter().take(dice.below(3)) {
            things.push(Thing { kind: "group", name: name.to_owned(), fields: json!({ "name": name }) });
            groups.push(json!(name));
        }
        for name in ["ru-one", "ru-two"].into_iter().take(dice.below(3)) {
            let of: Vec<Value> = groups.iter().skip(3).take(dice.below(3)).cloned().collect();
            let fields = json!({ "name": name, "shell": dice.of(&["/bin/bash", "/bin/sh"]), "groups": of, "comment": dice.of(&["", "one of them"]) });
            things.push(Thing { kind: "user", name: name.to_owned(), fields });
            owners.push(json!(name));
        }
        let mut directories = vec![ROOT.to_owned()];
        for number in 0..dice.below(6) {
            let path = format!("{}/{}{number}", dice.of(&directories), dice.of(&["d", "with space", "ü"]));
            let mode = dice.of(&["0755", "0700", "2770", "1777"]);
            let fields = json!({ "path": path, "mode": mode, "owner": dice.of(&owners), "group": dice.of(&groups) });
            things.push(Thing { kind: "directory", name: path.clone(), fields });
            directories.push(path);
        }
        for number in 0..dice.below(8) {
            let path = format!("{}/{}{number}", dice.of(&directories), dice.of(&["f", ".hidden", "two words", "é"]));
            let content = dice.of(&["", "one line\n", "no end", "several\nlines\n\n", "ü\u{1F600}\n"]);
            let fields = match dice.below(5) {
                0 => json!({ "path": path, "link": dice.of(&["nowhere", "/etc/passwd", ".."]) }),
                1 => json!({ "path": path, "content": content }),
                _ => json!({ "path": path, "content": content, "mode": dice.of(&["0644", "0600", "0755", "4711"]),
                             "owner": dice.of(&owners), "group": dice.of(&groups) }),
            };
            things.push(Thing { kind: "file", name: path, fields });
        }
        for number in 0..dice.below(3) {
            let (name, creates) = (format!("made {number}"), format!("{}/made{number}", dice.of(&directories)));
            let fields = json!({ "name": name, "argv": ["touch", creates], "creates": creates });
            things.push(Thing { kind: "command", name, fields });
        }
        if dice.below(2) == 1 {
            let content = dice.of(&[
                "[Service]\nExecStart=/bin/true\n",
                "[Service]\nExecStart=/bin/false\n[Install]\nWantedBy=multi-user.target\n",
            ]);
            let enabled = content.contains("[Install]");
            let mut fields = json!({ "name": "random-one.service", "content": content });
            if enabled {
                fields["enabled"] = json!(true);
            }
            things.push(Thing { kind: "unit", name: "random-one.service".to_owned(), fields });
        }
        Self { things }
    }

    pub fn items(&self) -> Vec<Item> {
        self.things.iter().map(|thing| item(thing.kind, &thing.fields)).collect()
    }

    /// Returns it as a recipe.
    pub fn recipe(&self) -> String {
        let table = |thing: &Thing| {
            format!("[[{}]]\n{}", thing.kind, toml::to_string(&thing.fields).expect("fields are a table"))
        };
        let tables: Vec<String> = self.things.iter().map(table).collect();
        format!("name = \"random\"\n\n{}", tables.join("\n"))
    }

    pub fn clean() {
        let script = "systemctl -q disable random-one.service 2>/dev/null; rm -rf /srv/random /var/lib/provision \
                      /etc/systemd/system/random-one.service; systemctl daemon-reload; for user in ru-one ru-two; do \
                      userdel -r $user 2>/dev/null; done; for group in rg-one rg-two; do groupdel $group 2>/dev/null; done; true";
        run(&["sh", "-c", script]);
    }
}

/// Runs a program, which must succeed.
pub fn run(argv: &[&str]) {
    let command = Command::new(argv.iter().copied());
    Real::new("/var/lib/provision").run(&command).unwrap().success(&command).unwrap();
}
