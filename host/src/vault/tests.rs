use chrono::DateTime;

use super::*;

fn vault(keys: &str) -> Vault {
    Vault::open(Path::new("/nowhere"), Some(&Hidden::new(keys.to_owned()))).unwrap()
}

fn key(digit: &str) -> String {
    digit.repeat(2 * KEY_BYTES)
}

fn ids() -> (AppId, AppId, DataKeyId, DataKeyId) {
    let now = DateTime::UNIX_EPOCH;
    (AppId::at(now), AppId::at(now), DataKeyId::at(now), DataKeyId::at(now))
}

#[test]
fn what_is_sealed_opens_in_its_place_only() {
    let (app, other_app, id, other_id) = ids();
    let (data_key, wrapped) = vault(&key("1")).make_data_key(id).unwrap();
    let secret = Secret::new("hush, grün 🦀".to_owned());
    let sealed = data_key.seal(app, "token", &secret).unwrap();
    assert_eq!(data_key.open(app, "token", &sealed).unwrap().expose(), secret.expose());
    assert!(data_key.open(other_app, "token", &sealed).is_err(), "another app");
    assert!(data_key.open(app, "token2", &sealed).is_err(), "another name");
    let relabelled = DataKey { id: other_id, key: data_key.key.clone() };
    assert!(relabelled.open(app, "token", &sealed).is_err(), "another key's id");
    let another = vault(&key("1")).make_data_key(id).unwrap().0;
    assert!(another.open(app, "token", &sealed).is_err(), "another key");
    for at in 0..sealed.len() {
        let mut changed = sealed.clone();
        changed[at] ^= 1;
        assert!(data_key.open(app, "token", &changed).is_err(), "byte {at}");
        assert!(data_key.open(app, "token", &sealed[..at]).is_err(), "cut at {at}");
    }
    assert_eq!(vault(&key("1")).unwrap(&wrapped).unwrap().open(app, "token", &sealed).unwrap().expose(), secret.expose());
}

#[test]
fn the_same_secret_never_seals_to_the_same_bytes() {
    let (app, _, id, _) = ids();
    let (data_key, _) = vault(&key("1")).make_data_key(id).unwrap();
    let secret = Secret::new("x".to_owned());
    assert_ne!(data_key.seal(app, "n", &secret).unwrap(), data_key.seal(app, "n", &secret).unwrap());
    let empty = data_key.seal(app, "n", &Secret::new(String::new())).unwrap();
    assert_eq!((empty.len(), data_key.open(app, "n", &empty).unwrap().expose()), (NONCE_BYTES + 16, ""));
}

#[test]
fn a_wrapped_key_opens_under_its_own_id_and_master_key_only() {
    let (.., id, other_id) = ids();
    let one = vault(&key("1"));
    let (_, wrapped) = one.make_data_key(id).unwrap();
    assert_eq!(wrapped.wrapped.len(), NONCE_BYTES + KEY_BYTES + 16);
    assert!(one.unwrap(&WrappedKey { id: other_id, ..wrapped.clone() }).is_err());
    let two = vault(&key("2"));
    let said = two.check(std::slice::from_ref(&wrapped)).unwrap_err().to_string();
    assert!(said.contains(&wrapped.master_key_id) && said.contains(&two.master_key_id()), "{said}");
    assert!(said.contains("PICLOUD_SECRET_KEY"), "{said}");
    let forged = WrappedKey { master_key_id: two.master_key_id(), ..wrapped };
    assert_eq!(two.unwrap(&forged).unwrap_err(), Error::Damaged("a data key"));
}

#[test]
fn a_data_key_moves_to_the_first_master_key() {
    let (app, _, id, _) = ids();
    let old = vault(&key("1"));
    let (data_key, wrapped) = old.make_data_key(id).unwrap();
    let sealed = data_key.seal(app, "n", &Secret::new("kept".to_owned())).unwrap();
    let both = vault(&format!("{},{}", key("2"), key("1")));
    assert!(both.check(std::slice::from_ref(&wrapped)).is_ok());
    let moved = both.rewrap(&wrapped).unwrap().unwrap();
    assert_eq!(both.rewrap(&moved).unwrap(), None);
    assert!(old.unwrap(&moved).is_err());
    assert_eq!(vault(&key("2")).unwrap(&moved).unwrap().open(app, "n", &sealed).unwrap().expose(), "kept");
}

#[test]
fn a_running_node_follows_a_replaced_key_file() {
    let home = tempfile::tempdir().unwrap();
    let (.., id, other_id) = ids();
    let running = Vault::open(home.path(), None).unwrap();
    let (_, wrapped) = running.make_data_key(id).unwrap();
    let replacing = Vault::open(home.path(), None).unwrap();
    replacing.begin_replacing_master_key().unwrap();
    assert_eq!(replacing.master_keys(), 2);
    // Killed here, begun again: the same two keys.
    let again = Vault::open(home.path(), None).unwrap();
    again.begin_replacing_master_key().unwrap();
    assert_eq!((again.master_keys(), again.master_key_id()), (2, replacing.master_key_id()));
    let moved = again.rewrap(&wrapped).unwrap().unwrap();
    again.end_replacing_master_key().unwrap();
    assert!(running.unwrap(&moved).is_ok());
    assert_eq!(running.make_data_key(other_id).unwrap().1.master_key_id, again.master_key_id());
    assert_eq!(running.master_keys(), 1);
    assert!(Vault::open(home.path(), None).unwrap().unwrap(&wrapped).is_err(), "the old key is gone");
}

#[test]
fn a_wrong_setting_is_refused_without_being_quoted() {
    for bad in ["", "hunter2-hunter2", &key("1")[1..]] {
        let said = Vault::open(Path::new("/nowhere"), Some(&Hidden::new(bad.to_owned()))).unwrap_err();
        assert!(matches!(said, Error::Setting(_)));
        assert!(bad.is_empty() || !said.to_string().contains(bad), "{said}");
    }
}

#[test]
fn nothing_prints_a_key_or_a_secret() {
    let (.., id, _) = ids();
    let (vault, secret) = (vault(&key("1")), Secret::new("hush".to_owned()));
    let (data_key, _) = vault.make_data_key(id).unwrap();
    let shown = format!("{vault:?} {data_key:?} {secret:?} {:?}", data_key.key);
    assert!(!shown.contains("hush") && !shown.contains("111") && !shown.contains("17, 17"), "{shown}");
}
