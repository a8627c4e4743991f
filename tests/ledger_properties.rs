//! Properties of the ledger: a cut anywhere, a flipped bit, what is known while writing and after reading.
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
