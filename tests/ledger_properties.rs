//! Properties of the ledger: a cut anywhere, tampering of every kind, what is known while writing and after reading.
use crate::ledger_rotation::three_files;
use crate::support::run::{finished, id, ledger_of, run, start, state_dir, tally, writer};
use proptest::prelude::*;
use provision::engine::Tally;
use provision::error::Error;
use provision::event::{Event, Outcome, Sink};
use provision::id::Machine;
use provision::ledger::Ledger;
use provision::report::Silent;
use provision::resource::{Ack, Change};
use std::fs;
use std::sync::OnceLock;
use std::time::SystemTime;

/// Returns the bytes of a ledger with runs that change things, a quiet one and an acknowledgement.
fn sample() -> &'static [u8] {
    static SAMPLE: OnceLock<Vec<u8>> = OnceLock::new();
    SAMPLE.get_or_init(|| {
        let (_dir, state) = state_dir();
        run(&state, &["file:/x", "directory:/srv"]);
        run(&state, &[]);
        let hub = start(&state, "ack", Box::new(Silent));
        let ack = Ack { who: "lilly".into(), when: SystemTime::UNIX_EPOCH, evidence: "ünïcode".into() };
        hub.emit(Event::Acked { id: id("gate:m365"), ack }).unwrap();
        hub.end(0, &Tally::default()).unwrap();
        fs::read(ledger_of(&state)).unwrap()
    })
}

/// Returns the lines of a ledger of three files, the oldest first.
fn files() -> &'static [Vec<Vec<u8>>; 3] {
    static FILES: OnceLock<[Vec<Vec<u8>>; 3]> = OnceLock::new();
    FILES.get_or_init(|| {
        let (_dir, state) = state_dir();
        three_files(&state);
        NAMES.map(|name| {
            let bytes = fs::read(state.join(name)).unwrap();
            bytes.split_inclusive(|&byte| byte == b'\n').map(<[u8]>::to_vec).collect()
        })
    })
}

const NAMES: [&str; 3] = ["ledger-0001.jsonl", "ledger-0002.jsonl", "ledger.jsonl"];

/// What is done to a line.
#[derive(Debug, Clone)]
enum Tampering {
    Dropped,
    SwappedWith(prop::sample::Index),
    CopiedTo(prop::sample::Index, prop::sample::Index),
    Flipped(prop::sample::Index, u8),
    Foreign(String),
}

fn tampering() -> impl Strategy<Value = Tampering> {
    let place = any::<prop::sample::Index>;
    prop_oneof![
        Just(Tampering::Dropped),
        place().prop_map(Tampering::SwappedWith),
        (place(), place()).prop_map(|(file, line)| Tampering::CopiedTo(file, line)),
        (place(), 0..8_u8).prop_map(|(byte, bit)| Tampering::Flipped(byte, bit)),
        "[ -~]{0,40}".prop_map(Tampering::Foreign),
    ]
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 64, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn a_ledger_cut_anywhere_recovers_to_a_whole_one(cut in 0.0..=1.0) {
        let whole = sample();
        #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, clippy::cast_precision_loss, reason = "a place in it")]
        let length = (whole.len() as f64 * cut) as usize;
        let (_dir, state) = state_dir();
        fs::create_dir(&state).unwrap();
        fs::write(ledger_of(&state), &whole[..length]).unwrap();
        fs::set_permissions(&state, std::os::unix::fs::PermissionsExt::from_mode(0o700)).unwrap();
        drop(writer(&state));
        prop_assert!(Ledger::verify(&state).unwrap().is_intact());
        let kept = fs::read(ledger_of(&state)).unwrap();
        prop_assert_eq!(&kept[..], &whole[..kept.len()], "what was whole stays");
        prop_assert!(!whole[kept.len()..length].contains(&b'\n'), "no whole line is lost");
        run(&state, &["file:/z"]);
        prop_assert!(Ledger::verify(&state).unwrap().is_intact(), "and it goes on from there");
    }

    #[test]
    fn a_flipped_bit_is_found_wherever_it_is(place in any::<prop::sample::Index>(), bit in 0..8_u8) {
        let mut bytes = sample().to_vec();
        let at = place.index(bytes.len());
        bytes[at] ^= 1 << bit;
        let (_dir, state) = state_dir();
        fs::create_dir(&state).unwrap();
        fs::write(ledger_of(&state), &bytes).unwrap();
        prop_assert!(!Ledger::verify(&state).unwrap().is_intact());
    }

    #[test]
    fn tampering_is_found_in_every_file_and_told_from_a_torn_end(
        file in 0..3_usize, line in any::<prop::sample::Index>(), tampering in tampering(),
    ) {
        let mut lines = files().clone();
        let line = line.index(lines[file].len());
        let is_end = file == 2 && line + 1 == lines[2].len();
        match &tampering {
            // Lines taken away at the very end leave no trace but in the head that the last run printed.
            Tampering::Dropped => {
                prop_assume!(!is_end);
                lines[file].remove(line);
            }
            Tampering::SwappedWith(other) => {
                let other = other.index(lines[file].len());
                prop_assume!(other != line);
                lines[file].swap(line, other);
            }
            Tampering::CopiedTo(to, at) => {
                let copy = lines[file][line].clone();
                let to = to.index(3);
                let at = at.index(lines[to].len() + 1);
                lines[to].insert(at, copy);
            }
            Tampering::Flipped(byte, bit) => {
                // The last line of all that is no JSON any more is what a power cut leaves as well.
                prop_assume!(!is_end);
                let byte = byte.index(lines[file][line].len());
                lines[file][line][byte] ^= 1 << bit;
            }
            Tampering::Foreign(text) => lines[file].insert(line, format!("{text}\n").into_bytes()),
        }
        let (_dir, state) = state_dir();
        fs::create_dir(&state).unwrap();
        for (name, lines) in NAMES.iter().zip(&lines) {
            fs::write(state.join(name), lines.concat()).unwrap();
        }
        let verified = Ledger::verify(&state).unwrap();
        prop_assert!(verified.is_broken() && verified.torn.is_none(), "{:?}", verified);
    }

    #[test]
    fn a_torn_end_is_no_tampering(bytes in any::<prop::sample::Index>()) {
        let mut lines = files().clone();
        let last = lines[2].pop().unwrap();
        let bytes = 1 + bytes.index(last.len() - 1);
        lines[2].push(last[..bytes].to_vec());
        let (_dir, state) = state_dir();
        fs::create_dir(&state).unwrap();
        for (name, lines) in NAMES.iter().zip(&lines) {
            fs::write(state.join(name), lines.concat()).unwrap();
        }
        let verified = Ledger::verify(&state).unwrap();
        prop_assert_eq!(verified.torn.map(|torn| torn.bytes), Some(bytes));
        prop_assert!(!verified.is_broken(), "{:?}", verified);
    }

    #[test]
    fn what_is_known_while_writing_is_known_after_reading(script in prop::collection::vec((0..6_u8, 0..4_u8), 1..30)) {
        let (_dir, state) = state_dir();
        let mut ledger = None;
        let hub = start(&state, "apply", Box::new(Silent));
        hub.identify(Machine::Host, "host").unwrap();
        for (what, which) in script {
            let of = id(&format!("file:/{which}"));
            let event = match what {
                0 => Event::Applying { ids: vec![of.clone()], changes: vec![Change::made(&of.name, "x")], absent: false },
                1 => Event::Applying { ids: vec![of.clone()], changes: vec![Change::field(&of.name, "mode", None, Some("0644".into()))], absent: false },
                2 => Event::Unmade { ids: vec![of] },
                3 => finished(&of, Outcome::Changed { changes: Vec::new() }),
                4 => finished(&of, Outcome::Failed { error: Error::new("failing") }),
                _ => Event::Finished { id: of, outcome: Outcome::Changed { changes: Vec::new() }, phase: None, digest: "absent:d".into(), absent: true },
            };
            hub.emit(event).unwrap();
            let read = Ledger::open(&state).unwrap();
            prop_assert_eq!(read.known("web", Machine::Host, "host").claims, hub.known(Machine::Host, "host").claims);
            ledger = Some(read);
        }
        hub.end(0, &tally(&[("file:/1", "d1"), ("file:/2", "")])).unwrap();
        let read = Ledger::open(&state).unwrap();
        prop_assert_eq!(read.known("web", Machine::Host, "host").claims, hub.known(Machine::Host, "host").claims);
        prop_assert!(ledger.is_some());
    }
}
