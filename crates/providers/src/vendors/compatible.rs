//! Further vendors by name, nearly all with an OpenAI-compatible API. Base URLs, key variables and quirks as documented by the vendor,
//! or as LiteLLM and models.dev (both MIT) call them.
//!
//! A row: name, display name, base URL, key variables, where the API is described; then what differs from most.

use super::table::USABLE;
use super::{AuthStyle, Prefill, Quirks, Reasoning, Vendor};
use crate::protocol::Protocol;

macro_rules! rows {
    ($($name:literal, $display:literal, $url:literal, [$($variable:literal),+], $docs:literal
        $(=> { $($field:ident: $value:expr),+ $(,)? })?;)+) => {
        &[$(Vendor {
            name: $name,
            display: $display,
            base_url: $url,
            env: &[$($variable),+],
            docs: $docs,
            $($($field: $value,)+)?
            ..PLAIN
        }),+]
    };
}

/// Not known to accept `stream_options`, nor the `developer` role that OpenAI added to `system`.
const PLAIN: Vendor =
    Vendor { include_usage: false, quirks: Quirks { no_developer_role: true, ..Quirks::NONE }, ..USABLE };

pub(super) const VENDORS: &[Vendor] = rows! {
    "abacus", "Abacus RouteLLM", "https://routellm.abacus.ai/v1", ["ABACUS_API_KEY"],
        "https://abacus.ai/help/api";
    "abliteration", "Abliteration", "https://api.abliteration.ai/v1", ["ABLITERATION_API_KEY"],
        "https://docs.litellm.ai/docs/providers/abliteration" => { catalogue: &["abliteration"] };
    "ai302", "302.AI", "https://api.302.ai/v1", ["302AI_API_KEY"],
        "https://doc.302.ai";
    "aiand", "ai&", "https://api.aiand.com/v1", ["AIAND_API_KEY"],
        "https://docs.aiand.com/api/chat-completions" => { catalogue: &["aiand"] };
    "aihubmix", "AIHubMix", "https://aihubmix.com/v1", ["AIHUBMIX_API_KEY"],
        "https://docs.litellm.ai/docs/providers/aihubmix" => { catalogue: &["aihubmix"] };
    "aiml", "AI/ML API", "https://api.aimlapi.com/v1", ["AIML_API_KEY"],
        "https://docs.litellm.ai/docs/providers/aiml" => { catalogue: &["aiml"] };
    "amazon-nova", "Amazon Nova", "https://api.nova.amazon.com/v1", ["AMAZON_NOVA_API_KEY"],
        "https://docs.litellm.ai/docs/providers/amazon_nova" => { catalogue: &["amazon_nova"] };
    "apertis", "Apertis", "https://api.stima.tech/v1", ["STIMA_API_KEY"],
        "https://api.stima.tech" => { quirks: Quirks { old_max_tokens: true, ..PLAIN.quirks } };
    "assemblyai", "AssemblyAI LLM gateway", "https://llm-gateway.assemblyai.com/v1", ["ASSEMBLYAI_API_KEY"],
        "https://www.assemblyai.com/docs" => { catalogue: &["assemblyai"] };
    "bailing", "Bailing", "https://api.tbox.cn/api/llm/v1", ["BAILING_API_TOKEN"],
        "https://alipaytbox.yuque.com/sxs0ba/ling/intro";
    "berget", "Berget AI", "https://api.berget.ai/v1", ["BERGET_API_KEY"],
        "https://docs.berget.ai";
    "bigmodel", "BigModel (Zhipu AI)", "https://open.bigmodel.cn/api/paas/v4", ["BIGMODEL_API_KEY"],
        "https://docs.bigmodel.cn" => {
        catalogue: &["bigmodel"],
        quirks: Quirks { old_max_tokens: true, reasoning: Reasoning::Thinking, ..PLAIN.quirks },
    };
    "charity-engine", "Charity Engine", "https://api.charityengine.services/remotejobs/v2/inference", ["CHARITY_ENGINE_API_KEY"],
        "https://docs.litellm.ai/docs/providers/charity_engine" => { quirks: Quirks { old_max_tokens: true, ..PLAIN.quirks } };
    "chutes", "Chutes", "https://llm.chutes.ai/v1", ["CHUTES_API_KEY"],
        "https://chutes.ai" => { quirks: Quirks { old_max_tokens: true, ..PLAIN.quirks } };
    "clarifai", "Clarifai", "https://api.clarifai.com/v2/ext/openai/v1", ["CLARIFAI_API_KEY", "CLARIFAI_PAT"],
        "https://docs.litellm.ai/docs/providers/clarifai";
    "clf", "CLF AI Gateway", "https://api.clfaigateway.dev/v1", ["CLF_AI_GATEWAY_API_KEY"],
        "https://docs.litellm.ai/docs/providers/clf_ai_gateway" => { catalogue: &["clf_ai_gateway"] };
    "codestral", "Mistral Codestral", "https://codestral.mistral.ai/v1", ["CODESTRAL_API_KEY"],
        "https://docs.litellm.ai/docs/providers/codestral" => {
        catalogue: &["codestral"],
        quirks: Quirks {
            old_max_tokens: true,
            short_call_ids: true,
            renames: &[("seed", "random_seed")],
            ..PLAIN.quirks
        },
        prefill: Prefill::Prefix,
    };
    "cognition", "Cognition", "https://api.cognition.ai/v1", ["COGNITION_API_KEY"],
        "https://docs.litellm.ai/docs/providers/cognition" => { catalogue: &["cognition"] };
    "cometapi", "CometAPI", "https://api.cometapi.com/v1", ["COMETAPI_KEY", "COMETAPI_API_KEY"],
        "https://docs.litellm.ai/docs/providers/cometapi";
    "compactifai", "CompactifAI", "https://api.compactif.ai/v1", ["COMPACTIFAI_API_KEY"],
        "https://docs.litellm.ai/docs/providers/compactifai";
    "coralbricks", "CoralBricks", "https://inference.coralbricks.ai/v1", ["CORALBRICKS_API_KEY"],
        "https://docs.litellm.ai/docs/providers/coralbricks" => { catalogue: &["coralbricks"] };
    "cortecs", "Cortecs", "https://api.cortecs.ai/v1", ["CORTECS_API_KEY"],
        "https://docs.cortecs.ai";
    "crusoe", "Crusoe", "https://api.inference.crusoecloud.com/v1", ["CRUSOE_API_KEY"],
        "https://docs.litellm.ai/docs/providers/crusoe" => { catalogue: &["crusoe"], quirks: Quirks { old_max_tokens: true, ..PLAIN.quirks } };
    "darkbloom", "Darkbloom", "https://api.darkbloom.dev/v1", ["DARKBLOOM_API_KEY"],
        "https://docs.litellm.ai/docs/providers/darkbloom" => { catalogue: &["darkbloom"], quirks: Quirks { old_max_tokens: true, ..PLAIN.quirks } };
    "digitalocean", "DigitalOcean", "https://inference.do-ai.run/v1", ["DIGITALOCEAN_ACCESS_TOKEN", "GRADIENT_AI_API_KEY"],
        "https://docs.digitalocean.com/products/inference" => {
        shared_env: true,
        catalogue: &["gradient_ai"],
        quirks: Quirks { reasoning: Reasoning::Effort, ..PLAIN.quirks },
    };
    "edenai", "Eden AI", "https://api.edenai.run/v3", ["EDENAI_API_KEY"],
        "https://docs.litellm.ai/docs/providers/edenai";
    "empiriolabs", "EmpirioLabs", "https://api.empiriolabs.ai/v1", ["EMPIRIOLABS_API_KEY"],
        "https://docs.litellm.ai/docs/providers/empiriolabs" => { quirks: Quirks { old_max_tokens: true, ..PLAIN.quirks } };
    "empower", "Empower", "https://app.empower.dev/api/v1", ["EMPOWER_API_KEY"],
        "https://docs.litellm.ai/docs/providers/empower";
    "evroc", "evroc", "https://models.think.evroc.com/v1", ["EVROC_API_KEY"],
        "https://docs.evroc.com/products/think/overview.html";
    "fastrouter", "FastRouter", "https://go.fastrouter.ai/api/v1", ["FASTROUTER_API_KEY"],
        "https://docs.fastrouter.ai";
    "featherless", "Featherless", "https://api.featherless.ai/v1", ["FEATHERLESS_API_KEY", "FEATHERLESS_AI_API_KEY"],
        "https://docs.litellm.ai/docs/providers/featherless_ai" => {
        catalogue: &["featherless_ai"],
        quirks: Quirks { old_max_tokens: true, ..PLAIN.quirks },
    };
    "galadriel", "Galadriel", "https://api.galadriel.com/v1", ["GALADRIEL_API_KEY"],
        "https://docs.litellm.ai/docs/providers/galadriel";
    "gmi", "GMI Cloud", "https://api.gmi-serving.com/v1", ["GMI_API_KEY"],
        "https://docs.litellm.ai/docs/providers/gmi_cloud" => { catalogue: &["gmi"] };
    "helicone", "Helicone AI gateway", "https://ai-gateway.helicone.ai/v1", ["HELICONE_API_KEY"],
        "https://docs.helicone.ai/gateway/overview" => { shared_env: true, quirks: Quirks { reasoning: Reasoning::Effort, ..PLAIN.quirks } };
    "hostinger", "Hostinger router", "https://router.hostinger.com/v1", ["HOSTINGER_ROUTER_API_KEY"],
        "https://docs.litellm.ai/docs/providers/hostinger_router" => { catalogue: &["hostinger_router"] };
    "inception", "Inception", "https://api.inceptionlabs.ai/v1", ["INCEPTION_API_KEY"],
        "https://docs.litellm.ai/docs/providers/inception" => {
        catalogue: &["inception"],
        include_usage: true,
        quirks: Quirks { reasoning: Reasoning::Effort, ..PLAIN.quirks },
    };
    "inceptron", "Inceptron", "https://api.inceptron.io/v1", ["INCEPTRON_API_KEY"],
        "https://docs.inceptron.io";
    "inference-net", "Inference.net", "https://api.inference.net/v1", ["INFERENCE_API_KEY"],
        "https://inference.net/models" => { shared_env: true };
    "inferenceapis", "Inference APIs", "https://api.inferenceapis.com/v1", ["INFERENCEAPIS_API_KEY"],
        "https://docs.litellm.ai/docs/providers/inferenceapis" => { catalogue: &["inferenceapis"] };
    "io-net", "io.net Intelligence", "https://api.intelligence.io.solutions/api/v1", ["IOINTELLIGENCE_API_KEY"],
        "https://io.net/docs/guides/intelligence/io-intelligence" => { quirks: Quirks { reasoning: Reasoning::Effort, ..PLAIN.quirks } };
    "jiekou", "Jiekou.AI", "https://api.jiekou.ai/openai", ["JIEKOU_API_KEY"],
        "https://docs.jiekou.ai" => { quirks: Quirks { reasoning: Reasoning::Effort, ..PLAIN.quirks } };
    "jina", "Jina AI", "https://api.jina.ai/v1", ["JINA_API_KEY", "JINA_AI_API_KEY"],
        "https://docs.litellm.ai/docs/providers/jina_ai" => { catalogue: &["jina_ai"] };
    "kilo", "Kilo Gateway", "https://api.kilo.ai/api/gateway", ["KILO_API_KEY"],
        "https://kilo.ai/docs/gateway" => { quirks: Quirks { reasoning: Reasoning::Object, ..PLAIN.quirks } };
    "kyma", "Kyma", "https://kymaapi.com/v1", ["KYMA_API_KEY"],
        "https://docs.litellm.ai/docs/providers/kyma" => { catalogue: &["kyma"] };
    "lambda", "Lambda", "https://api.lambda.ai/v1", ["LAMBDA_API_KEY"],
        "https://docs.litellm.ai/docs/providers/lambda_ai" => { shared_env: true, catalogue: &["lambda_ai"] };
    "libertai", "LibertAI", "https://api.libertai.io/v1", ["LIBERTAI_API_KEY"],
        "https://docs.litellm.ai/docs/providers/libertai" => { catalogue: &["libertai"], quirks: Quirks { old_max_tokens: true, ..PLAIN.quirks } };
    "llama", "Meta Llama API", "https://api.llama.com/compat/v1", ["LLAMA_API_KEY"],
        "https://docs.litellm.ai/docs/providers/meta_llama" => { catalogue: &["meta_llama"] };
    "llamagate", "LlamaGate", "https://api.llamagate.dev/v1", ["LLAMAGATE_API_KEY"],
        "https://docs.litellm.ai/docs/providers/llamagate" => { catalogue: &["llamagate"], quirks: Quirks { old_max_tokens: true, ..PLAIN.quirks } };
    "llmgateway", "LLM Gateway", "https://api.llmgateway.io/v1", ["LLMGATEWAY_API_KEY"],
        "https://docs.llmgateway.io" => { quirks: Quirks { reasoning: Reasoning::Effort, ..PLAIN.quirks } };
    "lucidquery", "LucidQuery", "https://api.lucidquery.com/v1", ["LUCIDQUERY_API_KEY"],
        "https://lucidquery.com/docs" => { include_usage: true };
    "meta", "Meta Model API", "https://api.meta.ai/v1", ["META_API_KEY"],
        "https://docs.litellm.ai/docs/providers/meta" => { shared_env: true, catalogue: &["meta"] };
    "moark", "Moark", "https://moark.com/v1", ["MOARK_API_KEY"],
        "https://moark.ai/docs";
    "modelscope", "ModelScope", "https://api-inference.modelscope.cn/v1", ["MODELSCOPE_API_KEY"],
        "https://docs.litellm.ai/docs/providers/modelscope";
    "morph", "Morph", "https://api.morphllm.com/v1", ["MORPH_API_KEY"],
        "https://docs.litellm.ai/docs/providers/morph" => { catalogue: &["morph"] };
    "nanogpt", "NanoGPT", "https://nano-gpt.com/api/v1", ["NANOGPT_API_KEY"],
        "https://nano-gpt.com" => { quirks: Quirks { old_max_tokens: true, ..PLAIN.quirks } };
    "neosantara", "Neosantara", "https://api.neosantara.xyz/v1", ["NEOSANTARA_API_KEY"],
        "https://docs.litellm.ai/docs/providers/neosantara" => { quirks: Quirks { old_max_tokens: true, ..PLAIN.quirks } };
    "ollama-cloud", "Ollama Cloud", "https://ollama.com", ["OLLAMA_API_KEY"],
        "https://docs.ollama.com/cloud" => {
        protocol: Protocol::Ollama,
        quirks: Quirks { reasoning: Reasoning::Effort, ..PLAIN.quirks },
    };
    "opencode", "OpenCode Zen", "https://opencode.ai/zen/v1", ["OPENCODE_API_KEY"],
        "https://opencode.ai/docs/zen";
    "openinfer", "OpenInfer", "https://api.openinfer.ai/v1", ["OPENINFER_API_KEY"],
        "https://docs.litellm.ai/docs/providers/openinfer" => { catalogue: &["openinfer"] };
    "ovhcloud", "OVHcloud AI Endpoints", "https://oai.endpoints.kepler.ai.cloud.ovh.net/v1", ["OVHCLOUD_API_KEY"],
        "https://www.ovhcloud.com/en/public-cloud/ai-endpoints" => {
        catalogue: &["ovhcloud"],
        quirks: Quirks { reasoning: Reasoning::Effort, ..PLAIN.quirks },
    };
    "parasail", "Parasail", "https://api.parasail.io/v1", ["PARASAIL_API_KEY"],
        "https://docs.litellm.ai/docs/providers/parasail";
    "pinstripes", "Pinstripes", "https://pinstripes.io/v1", ["PINSTRIPES_API_KEY"],
        "https://docs.litellm.ai/docs/providers/pinstripes" => {
        catalogue: &["pinstripes"],
        quirks: Quirks { old_max_tokens: true, ..PLAIN.quirks },
    };
    "poe", "Poe", "https://api.poe.com/v1", ["POE_API_KEY"],
        "https://poe.com" => { quirks: Quirks { old_max_tokens: true, ..PLAIN.quirks } };
    "prism", "Prism", "https://api.prisminference.com/v1", ["PRISM_API_KEY"],
        "https://docs.litellm.ai/docs/providers/prism" => { shared_env: true, catalogue: &["prism"] };
    "publicai", "Public AI", "https://api.publicai.co/v1", ["PUBLICAI_API_KEY"],
        "https://docs.litellm.ai/docs/providers/publicai" => { catalogue: &["publicai"], quirks: Quirks { old_max_tokens: true, ..PLAIN.quirks } };
    "qiniu", "Qiniu", "https://api.qnaigc.com/v1", ["QINIU_API_KEY"],
        "https://developer.qiniu.com/aitokenapi" => { quirks: Quirks { reasoning: Reasoning::Effort, ..PLAIN.quirks } };
    "refuseless", "Refuseless", "https://api.refuseless.com/v1", ["REFUSELESS_API_KEY"],
        "https://docs.litellm.ai/docs/providers/refuseless" => { catalogue: &["refuseless"] };
    "regolo", "Regolo AI", "https://api.regolo.ai/v1", ["REGOLO_API_KEY"],
        "https://docs.regolo.ai" => { quirks: Quirks { reasoning: Reasoning::Effort, ..PLAIN.quirks } };
    "reka", "Reka", "https://api.reka.ai/v1", ["REKA_API_KEY"],
        "https://docs.litellm.ai/docs/providers/reka";
    "requesty", "Requesty", "https://router.requesty.ai/v1", ["REQUESTY_API_KEY"],
        "https://docs.requesty.ai";
    "sail", "Sail Research", "https://api.sailresearch.com/v1", ["SAIL_API_KEY"],
        "https://docs.litellm.ai/docs/providers/sail" => { shared_env: true, catalogue: &["sail"] };
    "sarvam", "Sarvam", "https://api.sarvam.ai/v1", ["SARVAM_API_KEY"],
        "https://docs.litellm.ai/docs/providers/sarvam" => {
        catalogue: &["sarvam"],
        auth: AuthStyle::Header("api-subscription-key"),
        quirks: Quirks { old_max_tokens: true, ..PLAIN.quirks },
    };
    "scx", "SCX.ai", "https://api.scx.ai/v1", ["SCX_API_KEY"],
        "https://docs.litellm.ai/docs/providers/scx_ai" => { catalogue: &["scx-ai"], quirks: Quirks { old_max_tokens: true, ..PLAIN.quirks } };
    "siliconflow", "SiliconFlow", "https://api.siliconflow.com/v1", ["SILICONFLOW_API_KEY"],
        "https://docs.siliconflow.com" => { quirks: Quirks { reasoning: Reasoning::Switch, ..PLAIN.quirks } };
    "stackit", "STACKIT", "https://api.openai-compat.model-serving.eu01.onstackit.cloud/v1", ["STACKIT_API_KEY"],
        "https://docs.stackit.cloud/products/data-and-ai/ai-model-serving";
    "stepfun", "StepFun", "https://api.stepfun.com/v1", ["STEPFUN_API_KEY"],
        "https://platform.stepfun.com/docs" => { quirks: Quirks { reasoning: Reasoning::Effort, ..PLAIN.quirks } };
    "streamlake", "StreamLake", "https://vanchin.streamlake.ai/api/gateway/v1/endpoints", ["STREAMLAKE_API_KEY"],
        "https://docs.litellm.ai/docs/providers/openai_compatible" => {
        catalogue: &["streamlake"],
        quirks: Quirks { renames: &[("max_tokens", "max_completion_tokens")], ..PLAIN.quirks },
    };
    "submodel", "submodel", "https://llm.submodel.ai/v1", ["SUBMODEL_INSTAGEN_ACCESS_KEY"],
        "https://submodel.gitbook.io";
    "synthetic", "Synthetic", "https://api.synthetic.new/openai/v1", ["SYNTHETIC_API_KEY"],
        "https://synthetic.new" => { quirks: Quirks { old_max_tokens: true, ..PLAIN.quirks } };
    "tencent", "Tencent TokenHub", "https://tokenhub-intl.tencentcloudmaas.com/v1", ["TENCENT_API_KEY"],
        "https://docs.litellm.ai/docs/providers/tencent" => {
        catalogue: &["tencent"],
        quirks: Quirks { reasoning: Reasoning::Thinking, ..PLAIN.quirks },
    };
    "tensormesh", "Tensormesh", "https://serverless.tensormesh.ai/v1", ["TENSORMESH_INFERENCE_API_KEY"],
        "https://docs.litellm.ai/docs/providers/tensormesh" => {
        catalogue: &["tensormesh"],
        quirks: Quirks { old_max_tokens: true, ..PLAIN.quirks },
    };
    "upstage", "Upstage", "https://api.upstage.ai/v1/solar", ["UPSTAGE_API_KEY"],
        "https://developers.upstage.ai/docs/apis/chat" => { quirks: Quirks { reasoning: Reasoning::Effort, ..PLAIN.quirks } };
    "v0", "Vercel v0", "https://api.v0.dev/v1", ["V0_API_KEY"],
        "https://docs.litellm.ai/docs/providers/v0" => { catalogue: &["v0"] };
    "venice", "Venice AI", "https://api.venice.ai/api/v1", ["VENICE_API_KEY", "VENICE_AI_API_KEY"],
        "https://docs.venice.ai";
    "volcengine", "Volcano Engine Ark", "https://ark.cn-beijing.volces.com/api/v3", ["VOLCENGINE_API_KEY", "ARK_API_KEY"],
        "https://docs.litellm.ai/docs/providers/volcano" => {
        catalogue: &["volcengine"],
        include_usage: true,
        quirks: Quirks { old_max_tokens: true, reasoning: Reasoning::Thinking, ..PLAIN.quirks },
    };
    "voyage", "Voyage AI", "https://api.voyageai.com/v1", ["VOYAGE_API_KEY"],
        "https://docs.litellm.ai/docs/providers/voyage" => { catalogue: &["voyage"] };
    "vultr", "Vultr", "https://api.vultrinference.com/v1", ["VULTR_API_KEY"],
        "https://api.vultrinference.com" => { quirks: Quirks { reasoning: Reasoning::Object, ..PLAIN.quirks } };
    "wandb", "Weights & Biases Inference", "https://api.inference.wandb.ai/v1", ["WANDB_API_KEY"],
        "https://docs.litellm.ai/docs/providers/wandb_inference" => { shared_env: true, catalogue: &["wandb"] };
    "xiaomi", "Xiaomi MiMo", "https://api.xiaomimimo.com/v1", ["XIAOMI_MIMO_API_KEY"],
        "https://docs.litellm.ai/docs/providers/xiaomi_mimo" => {
        catalogue: &["xiaomi_mimo"],
        quirks: Quirks { old_max_tokens: true, ..PLAIN.quirks },
    };
    "zenmux", "ZenMux", "https://zenmux.ai/api/v1", ["ZENMUX_API_KEY"],
        "https://docs.zenmux.ai" => { quirks: Quirks { reasoning: Reasoning::Object, ..PLAIN.quirks } };
    "zerogpu", "ZeroGPU", "https://api.zerogpu.ai/v1", ["ZEROGPU_API_KEY"],
        "https://docs.litellm.ai/docs/providers/zerogpu" => { catalogue: &["zerogpu"] };
};
