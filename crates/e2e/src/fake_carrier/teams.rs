//! A workflow of Microsoft Teams: [`TeamsRules`] takes Adaptive Cards of up to 28 KB.

use super::{CarrierAnswer, CarrierRequest, CarrierRules};

/// The URL of the workflow, without its server.
pub const WORKFLOW: &str = "/workflows/1/triggers/manual/paths/invoke?sig=secret%3D";

/// A workflow.
#[derive(Debug, Default)]
pub struct TeamsRules;

impl CarrierRules for TeamsRules {
    fn judge(&mut self, request: &CarrierRequest) -> Result<CarrierAnswer, CarrierAnswer> {
        if !request.is_json_post_to(WORKFLOW) {
            return Err(CarrierAnswer::new(401, r#"{"error":{"code":"DirectApiAuthorizationRequired"}}"#));
        }
        if request.body.len() > 28 * 1024 {
            return Err(CarrierAnswer::new(413, "Request Entity Too Large"));
        }
        let message = request.json();
        let attachment = &message["attachments"][0];
        let is_card = message["type"] == "message"
            && attachment["contentType"] == "application/vnd.microsoft.card.adaptive"
            && attachment["content"]["type"] == "AdaptiveCard"
            && attachment["content"]["body"].as_array().is_some_and(|body| !body.is_empty());
        if is_card {
            Ok(CarrierAnswer::new(202, ""))
        } else {
            Err(CarrierAnswer::new(400, r#"{"error":{"code":"TriggerInputSchemaMismatch"}}"#))
        }
    }
}
