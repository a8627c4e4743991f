//! Tables of colon-separated lines, as /etc/passwd and its like are.
use super::FakeMachine;

/// The rows of such a file, to look at and to write back.
pub struct Table {
    path: &'static str,
    pub rows: Vec<Vec<String>>,
}

impl Table {
    pub fn read(machine: &FakeMachine, path: &'static str) -> Self {
        let row = |line: &str| line.split(':').map(str::to_owned).collect();
        Self { path, rows: machine.text(path).lines().map(row).collect() }
    }

    pub fn row(&mut self, name: &str) -> Option<&mut Vec<String>> {
        self.rows.iter_mut().find(|row| row.first().is_some_and(|first| first == name))
    }

    pub fn write(&self, machine: &FakeMachine) {
        let lines: String = self.rows.iter().map(|row| row.join(":") + "\n").collect();
        machine.file(self.path, &lines);
    }
}
