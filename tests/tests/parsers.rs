//! SEC-15: no outside input makes a parser panic. Feeds the fuzz corpus, real values, and deterministic mutations
//! of both to every parser.

use std::path::Path;

use incamera_tests::fuzzing::TARGETS;

/// Mutations of each seed; a fuzzer does the rest.
const MUTATIONS: u64 = 400;

/// A small generator: the same mutations at every run.
struct Dice(u64);

impl Dice {
    fn below(&mut self, limit: usize) -> usize {
        // xorshift64*
        self.0 ^= self.0 >> 12;
        self.0 ^= self.0 << 25;
        self.0 ^= self.0 >> 27;
        (self.0.wrapping_mul(0x2545_f491_4f6c_dd1d) >> 33) as usize % limit.max(1)
    }

    fn mutate(&mut self, seed: &[u8]) -> Vec<u8> {
        let mut bytes = seed.to_vec();
        for _ in 0..=self.below(4) {
            let at = self.below(bytes.len());
            match self.below(5) {
                0 => bytes.truncate(at),
                1 => bytes.insert(at.min(bytes.len()), self.below(256) as u8),
                2 => bytes.extend_from_within(..at.min(bytes.len())),
                _ if bytes.is_empty() => bytes.push(0xff),
                3 => bytes[at] ^= 1 << self.below(8),
                _ => bytes[at] = [0, 0x7f, 0x80, 0xff][self.below(4)],
            }
        }
        bytes
    }
}

fn seeds(name: &str) -> Vec<Vec<u8>> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("fuzz/corpus").join(name);
    let mut seeds = vec![Vec::new(), vec![0; 64], vec![0xff; 64]];
    let files = std::fs::read_dir(folder).into_iter().flatten().flatten();
    seeds.extend(files.filter_map(|file| std::fs::read(file.path()).ok()));
    seeds
}

#[test]
fn sec_15_every_parser_survives_its_corpus_and_mutations_of_it() {
    for target in TARGETS {
        let mut dice = Dice(0x9e37_79b9_7f4a_7c15);
        for seed in seeds(target.name) {
            (target.run)(&seed);
            for _ in 0..MUTATIONS {
                (target.run)(&dice.mutate(&seed));
            }
        }
    }
}

#[test]
fn every_target_has_a_corpus_and_a_fuzz_program() {
    let fuzz = Path::new(env!("CARGO_MANIFEST_DIR")).join("fuzz");
    for target in TARGETS {
        assert!(fuzz.join("corpus").join(target.name).is_dir(), "{} has no corpus", target.name);
        let program = fuzz.join("fuzz_targets").join(format!("{}.rs", target.name));
        assert!(program.is_file(), "{} has no fuzz program", target.name);
    }
}
