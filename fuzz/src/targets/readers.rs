//! Other readers of the same bytes.

pub(super) fn client_data_json(data: &[u8]) -> serde_json::Value {
    serde_json::from_slice(data.strip_prefix(b"\xef\xbb\xbf").unwrap_or(data)).unwrap()
}

pub(super) fn ciborium_value(bytes: &[u8]) -> ciborium::Value {
    ciborium::from_reader(bytes).unwrap()
}

pub(super) fn member<'a>(map: &'a ciborium::Value, name: &str) -> &'a ciborium::Value {
    let mut entries = map.as_map().unwrap().iter();
    &entries.find(|(key, _)| key.as_text() == Some(name)).unwrap().1
}
