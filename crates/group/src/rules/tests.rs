use super::*;

const ROOM: RoomId = RoomId([3; 16]);

fn key(seed: u8) -> SigningKey {
    SigningKey::from_seed(&[seed; 32]).unwrap()
}

fn rules() -> Rules {
    let mut rules = Rules::new(ROOM, [4; 16], &key(1).verifying_key());
    rules.lobby = Lobby::On;
    rules.grants.insert(
        LeafKeyHash::of(&key(2).verifying_key()),
        MemberGrant { role: Role::Unknown(9), rights: Rights::ALL },
    );
    rules
}

fn fingerprint() -> Fingerprint {
    Fingerprint::of(&key(9).verifying_key())
}

#[test]
fn rules_round_trip_and_every_truncation_and_flipped_bit_is_refused() {
    let delegation = Delegation::issue(ROOM, &key(9), key(8).verifying_key(), Powers::CARD);
    let signed = rules().sign(&key(9), &[delegation]).unwrap();
    let bytes = signed.to_bytes().to_vec();
    let read = |bytes: &[u8]| UnverifiedRules::parse(bytes).and_then(|rules| rules.verify(&fingerprint()));
    assert_eq!(read(&bytes).unwrap(), signed);
    assert_eq!(signed.rules(), &rules());
    for end in 0..bytes.len() {
        assert!(read(&bytes[..end]).is_err(), "{end}");
    }
    for at in 0..bytes.len() {
        let mut flipped = bytes.clone();
        flipped[at] ^= 1;
        assert!(read(&flipped).is_err(), "{at}");
    }
    assert!(read(&[&bytes[..], &[0]].concat()).is_err());
}

#[test]
fn sec_10_unknown_roles_and_rights_mean_the_least() {
    let rules = rules();
    assert_eq!(rules.rights_of(&key(1).verifying_key()), Rights::ALL);
    assert_eq!(rules.rights_of(&key(2).verifying_key()), Rights::NONE);
    assert_eq!(rules.rights_of(&key(3).verifying_key()), Rights::DEFAULT_PARTICIPANT);
    assert_eq!(Rights::from_bits(0xffe0), Rights::NONE);
    assert_eq!(Role::from_number(2), Role::Unknown(2));
}

#[test]
fn sec_19_rules_of_another_room_key_are_refused() {
    let signed = rules().sign(&key(7), &[]).unwrap();
    let other = UnverifiedRules::parse(signed.to_bytes()).unwrap().verify(&fingerprint());
    assert_eq!(other, Err(RulesError::Chain));
}

#[test]
fn delegates_sign_only_with_an_unbroken_chain_of_sufficient_powers() {
    let room_key = key(9).verifying_key();
    let all = Powers::RULES.with(Powers::DELEGATE);
    let first = Delegation::issue(ROOM, &key(9), key(8).verifying_key(), all);
    let second = Delegation::issue_from(ROOM, &key(8), 1, key(7).verifying_key(), Powers::RULES);
    let sign = |delegations: &[Delegation]| rules().sign_as_delegate(&key(7), room_key, delegations);
    let signed = sign(&[first.clone(), second.clone()]).unwrap();
    assert_eq!(signed.signer(), RulesSigner::Delegate(key(7).verifying_key()));
    assert!(signed.powers_of(&key(7).verifying_key()).contains(Powers::RULES));
    assert!(sign(std::slice::from_ref(&second)).is_err(), "its issuer is missing");
    assert!(sign(std::slice::from_ref(&first)).is_err(), "no delegation names the signer");
    let too_much = Delegation::issue_from(ROOM, &key(8), 1, key(7).verifying_key(), Powers::CARD);
    assert!(sign(&[first.clone(), too_much]).is_err(), "more than the issuer has");
    let elsewhere = Delegation::issue(RoomId([1; 16]), &key(9), key(7).verifying_key(), Powers::RULES);
    assert!(sign(&[elsewhere]).is_err(), "another room");
    let forged = Delegation::issue(ROOM, &key(6), key(7).verifying_key(), Powers::RULES);
    assert!(sign(&[forged]).is_err(), "not by the room key");
    let card_only = Delegation::issue(ROOM, &key(9), key(7).verifying_key(), Powers::CARD);
    assert!(sign(&[card_only]).is_err(), "not for rules");
    assert!(sign(&vec![first; MAX_DELEGATIONS + 1]).is_err(), "too many");
}

#[test]
fn values_out_of_range_are_not_signed() {
    for (media_stop, removal) in [(14, 60), (121, 200), (30, 29), (30, 3_601)] {
        let bad = Rules {
            media_stop: Duration::from_secs(media_stop),
            removal: Duration::from_secs(removal),
            ..rules()
        };
        assert_eq!(bad.sign(&key(9), &[]), Err(RulesError::Range), "{media_stop} {removal}");
    }
    let fraction = Rules { media_stop: Duration::from_millis(30_500), ..rules() };
    assert_eq!(fraction.sign(&key(9), &[]), Err(RulesError::Range));
}

#[test]
fn rights_open_streams_with_their_attestations() {
    let speak = Rights::SPEAK.contexts();
    assert_eq!(speak.iter().collect::<Vec<_>>(), [Context::Microphone, Context::MicrophoneAttestation]);
    assert_eq!(Rights::SHOW.contexts().iter().count(), 6);
    assert_eq!(Rights::SHARE.contexts().iter().count(), 8);
    assert_eq!(Rights::RECORD.with(Rights::ADMIT).contexts(), ContextSet::default());
    assert!(Rights::ALL.contexts().covers(speak));
    assert!(!speak.covers(Rights::ALL.contexts()));
}
