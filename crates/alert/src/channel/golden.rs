//! Payloads of the sample cards, compared with files under testdata/cards: [`check_payloads`].
//!
//! `IRONLANCE_WRITE_PAYLOADS=1` writes the files anew, to be reviewed.

use std::fs;
use std::path::Path;

use serde_json::Value;

use crate::card::Language;
use crate::render::card::{CardMessage, Detail, samples};

/// Compares what `payload` makes of each sample card in both languages with `testdata/cards/CHANNEL-NAME-LANGUAGE.json`.
pub(super) fn check_payloads(channel: &str, payload: impl Fn(&CardMessage<'_>) -> Value) {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("testdata/cards");
    for (language, code) in [(Language::English, "en"), (Language::Chinese, "zh")] {
        for (name, card) in samples::all(language) {
            let made = payload(&CardMessage { card: &card, detail: Detail::Rich, late: None });
            let made = serde_json::to_string_pretty(&made).unwrap() + "\n";
            let file = folder.join(format!("{channel}-{name}-{code}.json"));
            if std::env::var_os("IRONLANCE_WRITE_PAYLOADS").is_some() {
                fs::create_dir_all(&folder).unwrap();
                fs::write(&file, &made).unwrap();
            }
            let kept = fs::read_to_string(&file).unwrap_or_default();
            assert!(made == kept, "{} is\n{kept}\nand would be\n{made}", file.display());
        }
    }
}
