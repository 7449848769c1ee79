#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| {
    let target = incamera_tests::fuzzing::target("sfu_offer").expect("the table names this target");
    (target.run)(bytes);
});
