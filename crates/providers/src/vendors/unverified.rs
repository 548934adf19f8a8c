//! Vendors of which only the name is known: how to call them depends on an account, a sign-in or a page that
//! nobody checked. Their catalogue serves a provider that is configured with a `base_url` and their name as
//! `vendor`.

use super::table::USABLE;
use super::{Support, Vendor};

macro_rules! names {
    ($($name:literal $display:literal [$($catalogue:literal),*]),+ $(,)?) => {
        &[$(Vendor {
            name: $name,
            display: $display,
            catalogue: &[$($catalogue),*],
            support: Support::Unverified,
            include_usage: false,
            ..USABLE
        }),+]
    };
}

pub(super) const VENDORS: &[Vendor] = names! {
    "anyscale" "Anyscale" ["anyscale"],
    "bedrock-mantle" "Amazon Bedrock Mantle" ["bedrock_mantle"],
    "bytez" "Bytez" [],
    "cloudflare" "Cloudflare Workers AI" ["cloudflare"],
    "datarobot" "DataRobot" [],
    "fal" "fal.ai" ["fal_ai"],
    "gigachat" "GigaChat" ["gigachat"],
    "github-copilot" "GitHub Copilot" ["github_copilot"],
    "heroku" "Heroku Managed Inference" ["heroku"],
    "maritalk" "Maritalk" [],
    "microsoft-365-copilot" "Microsoft 365 Copilot" ["microsoft_365_copilot"],
    "nlp-cloud" "NLP Cloud" ["nlp_cloud"],
    "oci" "Oracle Cloud Generative AI" ["oci"],
    "opencode-go" "OpenCode Go" ["opencode_go"],
    "petals" "Petals" [],
    "predibase" "Predibase" [],
    "qwen-ai-platform" "Qianwen AI Platform" ["qwen_ai_platform"],
    "qwencloud" "Qwen Cloud" ["qwencloud"],
    "sagemaker" "Amazon SageMaker" ["sagemaker"],
    "sap" "SAP Generative AI Hub" [],
    "scaledown" "ScaleDown" ["scaledown"],
    "snowflake" "Snowflake Cortex" ["snowflake"],
    "triton" "NVIDIA Triton" [],
};
