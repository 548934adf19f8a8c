//! The vendors and engines themselves. One row each; tests check every row against the catalogue.
//!
//! `include_usage` is `true` only where the vendor documents `stream_options` (or is known to run a
//! server that has it); Mistral (422) and Cohere are known to refuse it.

use pointsman_core::Dialect;

use super::{AuthStyle, Engine, Prefill, Quirks, Reasoning, Support, Vendor};
use crate::protocol::Protocol;

/// A row to start from: OpenAI-compatible, bearer key, usage on request.
pub(super) const USABLE: Vendor = Vendor {
    name: "",
    display: "",
    env: &[],
    shared_env: false,
    base_url: "",
    protocol: Protocol::OpenAi,
    dialects: &[],
    auth: AuthStyle::Bearer,
    include_usage: true,
    quirks: Quirks::NONE,
    prefill: Prefill::None,
    catalogue: &[],
    check_model: None,
    support: Support::Usable,
    docs: "",
};
/// A row for a vendor whose protocol or sign-in comes later.
const PLANNED: Vendor = Vendor { support: Support::Planned, include_usage: false, ..USABLE };

pub(super) const VENDORS: &[Vendor] = &[
    Vendor {
        name: "openai",
        display: "OpenAI",
        env: &["OPENAI_API_KEY"],
        base_url: "https://api.openai.com/v1",
        dialects: &[Dialect::OpenAiChat, Dialect::OpenAiResponses],
        catalogue: &["openai"],
        check_model: Some("gpt-4o-mini"),
        quirks: Quirks { reasoning: Reasoning::Effort, ..Quirks::NONE },
        docs: "https://platform.openai.com/docs/api-reference",
        ..USABLE
    },
    Vendor {
        name: "anthropic",
        display: "Anthropic",
        env: &["ANTHROPIC_API_KEY"],
        base_url: "https://api.anthropic.com/v1",
        catalogue: &["anthropic"],
        check_model: Some("claude-haiku-4-5"),
        protocol: Protocol::Anthropic,
        auth: AuthStyle::Header("x-api-key"),
        prefill: Prefill::Message,
        docs: "https://docs.anthropic.com/en/api/messages",
        ..USABLE
    },
    Vendor {
        name: "gemini",
        display: "Google Gemini",
        env: &["GEMINI_API_KEY", "GOOGLE_API_KEY"],
        base_url: "https://generativelanguage.googleapis.com/v1beta",
        catalogue: &["gemini"],
        check_model: Some("gemini-2.5-flash-lite"),
        protocol: Protocol::Gemini,
        auth: AuthStyle::Header("x-goog-api-key"),
        docs: "https://ai.google.dev/api/generate-content",
        ..USABLE
    },
    Vendor {
        name: "groq",
        display: "Groq",
        env: &["GROQ_API_KEY"],
        base_url: "https://api.groq.com/openai/v1",
        catalogue: &["groq"],
        check_model: Some("openai/gpt-oss-20b"),
        quirks: Quirks { reasoning: Reasoning::Effort, ..Quirks::NONE },
        docs: "https://console.groq.com/docs/openai",
        ..USABLE
    },
    Vendor {
        name: "mistral",
        display: "Mistral",
        env: &["MISTRAL_API_KEY"],
        base_url: "https://api.mistral.ai/v1",
        include_usage: false,
        catalogue: &["mistral"],
        check_model: Some("ministral-3b-latest"),
        quirks: Quirks {
            old_max_tokens: true,
            no_developer_role: true,
            short_call_ids: true,
            renames: &[("seed", "random_seed")],
            drops: &["stream_options"],
            ..Quirks::NONE
        },
        prefill: Prefill::Prefix,
        docs: "https://docs.mistral.ai/api",
        ..USABLE
    },
    Vendor {
        name: "deepseek",
        display: "DeepSeek",
        env: &["DEEPSEEK_API_KEY"],
        base_url: "https://api.deepseek.com/v1",
        catalogue: &["deepseek"],
        check_model: Some("deepseek-v4-flash"),
        quirks: Quirks {
            old_max_tokens: true,
            no_developer_role: true,
            reasoning: Reasoning::Thinking,
            ..Quirks::NONE
        },
        docs: "https://api-docs.deepseek.com",
        ..USABLE
    },
    Vendor {
        name: "openrouter",
        display: "OpenRouter",
        env: &["OPENROUTER_API_KEY"],
        base_url: "https://openrouter.ai/api/v1",
        catalogue: &[],
        check_model: Some("openai/gpt-oss-20b"),
        quirks: Quirks { reasoning: Reasoning::Object, ..Quirks::NONE },
        docs: "https://openrouter.ai/docs",
        ..USABLE
    },
    Vendor {
        name: "xai",
        display: "xAI",
        env: &["XAI_API_KEY"],
        base_url: "https://api.x.ai/v1",
        catalogue: &["xai"],
        check_model: Some("grok-build-0.1"),
        quirks: Quirks { reasoning: Reasoning::Effort, ..Quirks::NONE },
        docs: "https://docs.x.ai/docs/api-reference",
        ..USABLE
    },
    Vendor {
        name: "together",
        display: "Together AI",
        env: &["TOGETHER_API_KEY", "TOGETHERAI_API_KEY"],
        base_url: "https://api.together.xyz/v1",
        catalogue: &["together_ai"],
        check_model: Some("meta-llama/Llama-3.2-3B-Instruct"),
        quirks: Quirks { no_developer_role: true, ..Quirks::NONE },
        docs: "https://docs.together.ai/docs/openai-api-compatibility",
        ..USABLE
    },
    Vendor {
        name: "fireworks",
        display: "Fireworks AI",
        env: &["FIREWORKS_API_KEY", "FIREWORKS_AI_API_KEY"],
        base_url: "https://api.fireworks.ai/inference/v1",
        catalogue: &["fireworks_ai"],
        check_model: Some("accounts/fireworks/models/gpt-oss-20b"),
        quirks: Quirks {
            old_max_tokens: true,
            no_developer_role: true,
            reasoning: Reasoning::Effort,
            ..Quirks::NONE
        },
        docs: "https://docs.fireworks.ai/tools-sdks/openai-compatibility",
        ..USABLE
    },
    Vendor {
        name: "cerebras",
        display: "Cerebras",
        env: &["CEREBRAS_API_KEY"],
        base_url: "https://api.cerebras.ai/v1",
        catalogue: &["cerebras"],
        check_model: Some("gpt-oss-120b"),
        quirks: Quirks { no_developer_role: true, reasoning: Reasoning::Effort, ..Quirks::NONE },
        docs: "https://inference-docs.cerebras.ai/resources/openai",
        ..USABLE
    },
    Vendor {
        name: "perplexity",
        display: "Perplexity",
        env: &["PERPLEXITY_API_KEY", "PERPLEXITYAI_API_KEY"],
        base_url: "https://api.perplexity.ai",
        include_usage: false,
        catalogue: &["perplexity"],
        check_model: Some("sonar"),
        quirks: Quirks {
            old_max_tokens: true,
            no_developer_role: true,
            drops: &["tools", "tool_choice", "parallel_tool_calls", "functions", "function_call"],
            ..Quirks::NONE
        },
        docs: "https://docs.perplexity.ai/docs/sonar/openai-compatibility",
        ..USABLE
    },
    Vendor {
        name: "nvidia",
        display: "NVIDIA NIM",
        env: &["NVIDIA_API_KEY", "NVIDIA_NIM_API_KEY"],
        base_url: "https://integrate.api.nvidia.com/v1",
        catalogue: &["nvidia_nim"],
        check_model: Some("meta/llama-3.1-8b-instruct"),
        quirks: Quirks { old_max_tokens: true, no_developer_role: true, ..Quirks::NONE },
        docs: "https://docs.api.nvidia.com/nim/reference/llm-apis",
        ..USABLE
    },
    Vendor {
        name: "sambanova",
        display: "SambaNova",
        env: &["SAMBANOVA_API_KEY"],
        base_url: "https://api.sambanova.ai/v1",
        catalogue: &["sambanova"],
        check_model: Some("gpt-oss-120b"),
        quirks: Quirks { old_max_tokens: true, no_developer_role: true, ..Quirks::NONE },
        docs: "https://docs.sambanova.ai",
        ..USABLE
    },
    Vendor {
        name: "deepinfra",
        display: "DeepInfra",
        env: &["DEEPINFRA_API_KEY", "DEEPINFRA_TOKEN"],
        base_url: "https://api.deepinfra.com/v1/openai",
        catalogue: &["deepinfra"],
        check_model: Some("meta-llama/Meta-Llama-3.1-8B-Instruct"),
        quirks: Quirks {
            old_max_tokens: true,
            no_developer_role: true,
            reasoning: Reasoning::Effort,
            ..Quirks::NONE
        },
        docs: "https://deepinfra.com/docs/openai_api",
        ..USABLE
    },
    Vendor {
        name: "novita",
        display: "Novita AI",
        env: &["NOVITA_API_KEY"],
        base_url: "https://api.novita.ai/openai/v1",
        catalogue: &["novita"],
        check_model: Some("meta-llama/llama-3.1-8b-instruct"),
        quirks: Quirks { no_developer_role: true, reasoning: Reasoning::Switch, ..Quirks::NONE },
        docs: "https://novita.ai/docs/guides/llm-api",
        ..USABLE
    },
    Vendor {
        name: "nebius",
        display: "Nebius Token Factory",
        env: &["NEBIUS_API_KEY"],
        base_url: "https://api.tokenfactory.nebius.com/v1",
        catalogue: &["nebius"],
        check_model: Some("meta-llama/Meta-Llama-3.1-8B-Instruct"),
        quirks: Quirks { no_developer_role: true, reasoning: Reasoning::Effort, ..Quirks::NONE },
        docs: "https://docs.tokenfactory.nebius.com",
        ..USABLE
    },
    Vendor {
        name: "hyperbolic",
        display: "Hyperbolic",
        env: &["HYPERBOLIC_API_KEY"],
        base_url: "https://api.hyperbolic.xyz/v1",
        catalogue: &["hyperbolic"],
        check_model: Some("meta-llama/Llama-3.2-3B-Instruct"),
        quirks: Quirks { no_developer_role: true, ..Quirks::NONE },
        docs: "https://docs.hyperbolic.xyz",
        ..USABLE
    },
    Vendor {
        name: "moonshot",
        display: "Moonshot AI",
        env: &["MOONSHOT_API_KEY"],
        base_url: "https://api.moonshot.ai/v1",
        catalogue: &["moonshot"],
        check_model: Some("kimi-k2.6"),
        quirks: Quirks {
            old_max_tokens: true,
            no_developer_role: true,
            reasoning: Reasoning::Thinking,
            // Refused beside `thinking`.
            drops: &["reasoning_effort"],
            ..Quirks::NONE
        },
        docs: "https://platform.moonshot.ai/docs",
        ..USABLE
    },
    Vendor {
        name: "zai",
        display: "Z.ai",
        env: &["ZAI_API_KEY"],
        base_url: "https://api.z.ai/api/paas/v4",
        include_usage: false,
        catalogue: &["zai"],
        check_model: Some("glm-4.5-air"),
        quirks: Quirks {
            old_max_tokens: true,
            no_developer_role: true,
            reasoning: Reasoning::Thinking,
            ..Quirks::NONE
        },
        docs: "https://docs.z.ai/guides/overview/quick-start",
        ..USABLE
    },
    Vendor {
        name: "minimax",
        display: "MiniMax",
        env: &["MINIMAX_API_KEY"],
        base_url: "https://api.minimax.io/v1",
        include_usage: false,
        catalogue: &["minimax"],
        check_model: Some("MiniMax-M2.5"),
        quirks: Quirks { no_developer_role: true, reasoning: Reasoning::Thinking, ..Quirks::NONE },
        docs: "https://platform.minimax.io/docs/api-reference/text-openai-api",
        ..USABLE
    },
    Vendor {
        name: "cohere",
        display: "Cohere",
        env: &["COHERE_API_KEY", "CO_API_KEY"],
        base_url: "https://api.cohere.ai/compatibility/v1",
        include_usage: false,
        catalogue: &["cohere"],
        check_model: Some("command-r7b-12-2024"),
        quirks: Quirks {
            old_max_tokens: true,
            no_developer_role: true,
            drops: &["stream_options"],
            ..Quirks::NONE
        },
        docs: "https://docs.cohere.com/docs/compatibility-api",
        ..USABLE
    },
    Vendor {
        name: "huggingface",
        display: "Hugging Face router",
        env: &["HF_TOKEN", "HUGGINGFACE_API_KEY"],
        base_url: "https://router.huggingface.co/v1",
        include_usage: false,
        check_model: Some("openai/gpt-oss-20b"),
        quirks: Quirks { no_developer_role: true, ..Quirks::NONE },
        docs: "https://huggingface.co/docs/inference-providers",
        ..USABLE
    },
    Vendor {
        name: "github",
        display: "GitHub Models",
        // Not GITHUB_TOKEN: many machines have one that is not meant for models.
        env: &["GITHUB_MODELS_TOKEN", "GITHUB_API_KEY"],
        base_url: "https://models.github.ai/inference",
        include_usage: false,
        check_model: Some("openai/gpt-4o-mini"),
        docs: "https://docs.github.com/en/rest/models/inference",
        ..USABLE
    },
    Vendor {
        name: "vercel",
        display: "Vercel AI Gateway",
        env: &["AI_GATEWAY_API_KEY", "VERCEL_AI_GATEWAY_API_KEY"],
        base_url: "https://ai-gateway.vercel.sh/v1",
        catalogue: &["vercel_ai_gateway"],
        check_model: Some("amazon/nova-micro"),
        docs: "https://vercel.com/docs/ai-gateway/openai-compat",
        ..USABLE
    },
    Vendor {
        name: "ai21",
        display: "AI21",
        env: &["AI21_API_KEY"],
        base_url: "https://api.ai21.com/studio/v1",
        include_usage: false,
        catalogue: &["ai21"],
        check_model: Some("jamba-mini-1.7"),
        quirks: Quirks { old_max_tokens: true, no_developer_role: true, ..Quirks::NONE },
        docs: "https://docs.ai21.com",
        ..USABLE
    },
    Vendor {
        name: "dashscope",
        display: "Alibaba Model Studio",
        env: &["DASHSCOPE_API_KEY"],
        base_url: "https://dashscope-intl.aliyuncs.com/compatible-mode/v1",
        catalogue: &["dashscope"],
        check_model: Some("qwen-flash"),
        quirks: Quirks {
            old_max_tokens: true,
            no_developer_role: true,
            reasoning: Reasoning::Switch,
            ..Quirks::NONE
        },
        docs: "https://www.alibabacloud.com/help/en/model-studio",
        ..USABLE
    },
    Vendor {
        name: "scaleway",
        display: "Scaleway",
        // Not SCW_SECRET_KEY, which opens the whole cloud account.
        env: &["SCALEWAY_API_KEY"],
        base_url: "https://api.scaleway.ai/v1",
        catalogue: &["scaleway"],
        check_model: Some("openai/gpt-oss-120b"),
        quirks: Quirks { no_developer_role: true, ..Quirks::NONE },
        docs: "https://www.scaleway.com/en/docs/generative-apis",
        ..USABLE
    },
    Vendor {
        name: "baseten",
        display: "Baseten",
        env: &["BASETEN_API_KEY"],
        base_url: "https://inference.baseten.co/v1",
        catalogue: &["baseten"],
        check_model: Some("openai/gpt-oss-120b"),
        quirks: Quirks { no_developer_role: true, ..Quirks::NONE },
        docs: "https://docs.baseten.co",
        ..USABLE
    },
    Vendor {
        name: "friendli",
        display: "FriendliAI",
        env: &["FRIENDLI_TOKEN", "FRIENDLIAI_API_KEY"],
        base_url: "https://api.friendli.ai/serverless/v1",
        catalogue: &["friendliai"],
        check_model: Some("google/gemma-4-31B-it"),
        quirks: Quirks { no_developer_role: true, ..Quirks::NONE },
        docs: "https://friendli.ai/docs",
        ..USABLE
    },
    Vendor {
        name: "nscale",
        display: "Nscale",
        env: &["NSCALE_API_KEY", "NSCALE_SERVICE_TOKEN"],
        base_url: "https://inference.api.nscale.com/v1",
        catalogue: &["nscale"],
        check_model: Some("meta-llama/Llama-3.1-8B-Instruct"),
        quirks: Quirks { no_developer_role: true, ..Quirks::NONE },
        docs: "https://docs.nscale.com",
        ..USABLE
    },
    Vendor {
        name: "azure",
        display: "Azure OpenAI",
        env: &["AZURE_OPENAI_API_KEY", "AZURE_API_KEY"],
        auth: AuthStyle::Header("api-key"),
        catalogue: &["azure", "azure_ai"],
        protocol: Protocol::Azure,
        quirks: Quirks { reasoning: Reasoning::Effort, ..Quirks::NONE },
        docs: "https://learn.microsoft.com/azure/ai-foundry/openai/reference",
        ..PLANNED
    },
    Vendor {
        name: "bedrock",
        display: "Amazon Bedrock",
        env: &["AWS_BEARER_TOKEN_BEDROCK", "AWS_ACCESS_KEY_ID"],
        auth: AuthStyle::AwsSigV4,
        catalogue: &["bedrock"],
        docs: "https://docs.aws.amazon.com/bedrock/latest/APIReference",
        ..PLANNED
    },
    Vendor {
        name: "vertex",
        display: "Google Vertex AI",
        env: &["GOOGLE_APPLICATION_CREDENTIALS"],
        auth: AuthStyle::GoogleOauth,
        catalogue: &["vertex_ai"],
        docs: "https://cloud.google.com/vertex-ai/generative-ai/docs",
        ..PLANNED
    },
    Vendor {
        name: "replicate",
        display: "Replicate",
        env: &["REPLICATE_API_TOKEN", "REPLICATE_API_KEY"],
        catalogue: &["replicate"],
        docs: "https://replicate.com/docs/reference/http",
        ..PLANNED
    },
    Vendor {
        name: "databricks",
        display: "Databricks",
        env: &["DATABRICKS_TOKEN", "DATABRICKS_API_KEY"],
        catalogue: &["databricks"],
        docs: "https://docs.databricks.com/machine-learning/foundation-model-apis",
        ..PLANNED
    },
    Vendor {
        name: "watsonx",
        display: "IBM watsonx.ai",
        env: &["WATSONX_API_KEY", "WATSONX_APIKEY"],
        catalogue: &["watsonx"],
        docs: "https://cloud.ibm.com/apidocs/watsonx-ai",
        ..PLANNED
    },
];

pub(super) const ENGINES: &[Engine] = &[
    Engine {
        name: "llamacpp",
        display: "llama.cpp",
        port: 8080,
        base_path: "/v1",
        protocol: Protocol::OpenAi,
        include_usage: true,
        prefill: Prefill::Message,
        docs: "https://github.com/ggml-org/llama.cpp/tree/master/tools/server",
    },
    Engine {
        name: "ollama",
        display: "Ollama",
        port: 11434,
        base_path: "/v1",
        protocol: Protocol::Ollama,
        include_usage: true,
        prefill: Prefill::None,
        docs: "https://docs.ollama.com/api",
    },
    Engine {
        name: "vllm",
        display: "vLLM",
        port: 8000,
        base_path: "/v1",
        protocol: Protocol::OpenAi,
        include_usage: true,
        prefill: Prefill::ContinueFinalMessage,
        docs: "https://docs.vllm.ai/en/latest/serving/openai_compatible_server.html",
    },
    Engine {
        name: "lmstudio",
        display: "LM Studio",
        port: 1234,
        base_path: "/v1",
        protocol: Protocol::OpenAi,
        include_usage: true,
        prefill: Prefill::None,
        docs: "https://lmstudio.ai/docs/developer/openai-compat",
    },
    Engine {
        name: "sglang",
        display: "SGLang",
        port: 30000,
        base_path: "/v1",
        protocol: Protocol::OpenAi,
        include_usage: true,
        prefill: Prefill::ContinueFinalMessage,
        docs: "https://docs.sglang.ai/basic_usage/openai_api.html",
    },
];
