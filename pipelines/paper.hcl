# The published settings of "Weight Decay Improves Language Model Plasticity" (Han, Bordt, Zhang and Kakade, arXiv 2602.11137), to be read, validated,
# planned and changed: `anneal -f pipelines/paper.hcl plan`. The models have up to 4 billion parameters; a plan tells the memory that each takes, once
# their tokens are stored. What stands in for something that the paper does otherwise is said beside it.

variable "commits" {
  description = "the commit of each repository on the Hugging Face hub, as `git ls-remote https://huggingface.co/datasets/NAME` prints it; plans take git's null commit, the hub has none of that name"
  type        = map(string)
  default     = {}
}

variable "weight_decay" {
  description = "pretraining weight decays of the 0.5B and 1B models"
  type        = list(number)
  default     = [0, 1e-4, 1e-3, 1e-2, 0.1, 0.5, 1, 1.5, 3, 10]
}

variable "seeds" {
  description = "pretraining seeds; the paper has one"
  type        = list(number)
  default     = [42]
}

variable "robustness" {
  description = "whether fine-tuning goes over the grid of learning rates, batches and weight decays, or has its one published setting"
  type        = bool
  default     = false
}

locals {
  null_commit = "0000000000000000000000000000000000000000"
  at          = { for name in local.repositories : name => "datasets/${name}@${lookup(var.commits, name, local.null_commit)}" }
  repositories = [
    "HuggingFaceFW/fineweb-edu", "meta-math/MetaMathQA", "simplescaling/s1K-1.1", "openlifescienceai/medmcqa", "qiaojin/PubMedQA",
    "UW-Madison-Lee-Lab/MMLU-Pro-CoT-Train-Labeled", "ehovy/race", "madrylab/gsm8k-platinum", "EleutherAI/hendrycks_math",
    "TIGER-Lab/MMLU-Pro",
  ]

  # 20 tokens a parameter, each read once.
  llamas = {
    llama_0_5b = { layers = 20, width = 1536, ff = 3216, tokens = 10e9, batch = 512, learning_rate = 2.5e-4, weight_decays = var.weight_decay }
    llama_1b   = { layers = 22, width = 2048, ff = 4896, tokens = 20e9, batch = 512, learning_rate = 2e-4, weight_decays = var.weight_decay }
    llama_4b   = { layers = 28, width = 4096, ff = 7792, tokens = 80e9, batch = 1024, learning_rate = 1.5e-4, weight_decays = [0, 0.1, 1] }
  }
  olmos = {
    olmo2_cosine = { tokens = 30e9, shape = "cosine", final = 0.1, weight_decays = [0, 0.1, 0.3, 0.6, 1] }
    olmo2_wsd    = { tokens = 210e9, shape = "wsd", final = 0, weight_decays = [0, 0.1, 0.3, 1] } # 140 tokens a parameter
  }

  finetuning = var.robustness ? { learning_rates = [1e-5, 3e-5, 6e-4], batches = [32, 64, 128], weight_decays = [0, 0.1, 1] } : { learning_rates = [1e-5], batches = [64], weight_decays = [0] }
}

pipeline "paper" {
  dataset "fineweb" {
    source = [hf(local.at["HuggingFaceFW/fineweb-edu"], "sample/350BT/*.parquet")]
    split {
      size       = 8192
      validation = 0.0001
      seed       = 1
    }
  }

  # In place of Llama 2's and OLMo 2's vocabularies: byte-level pairs of the same number, learned from the text.
  tokenize "llama" {
    text       = [dataset.fineweb.train]
    held_out   = [dataset.fineweb.validation]
    vocab_size = 32000
  }

  tokenize "olmo" {
    text       = [dataset.fineweb.train]
    held_out   = [dataset.fineweb.validation]
    vocab_size = 100352
  }

  # Six sets with chains of thought. A records block refuses a column that a file lacks, and names those it has.
  dataset "metamath" {
    records {
      file     = hf(local.at["meta-math/MetaMathQA"], "default/train/0000.parquet")
      prompt   = "{query}"
      response = "{response}"
    }
    template {
      answer = "after"
      marker = "The answer is: "
    }
  }

  dataset "s1" {
    records {
      file     = hf(local.at["simplescaling/s1K-1.1"], "data/train-00000-of-00001.parquet")
      prompt   = "{question}"
      response = "{deepseek_thinking_trajectory}\n\nFinal answer: {solution}"
    }
    template {
      answer = "after"
      marker = "Final answer: "
    }
  }

  dataset "medmcqa" {
    records {
      file      = hf(local.at["openlifescienceai/medmcqa"], "data/train-00000-of-00001.parquet")
      test_file = hf(local.at["openlifescienceai/medmcqa"], "data/validation-00000-of-00001.parquet") # its test split has no answers
      prompt    = "{question}\n0. {opa}\n1. {opb}\n2. {opc}\n3. {opd}"
      response  = "{exp}\nThe answer is: {cop}"
    }
    template {
      answer = "after"
      marker = "The answer is: "
    }
  }

  dataset "pubmedqa" {
    records {
      file      = hf(local.at["qiaojin/PubMedQA"], "pqa_artificial/train-00000-of-00001.parquet")
      test_file = hf(local.at["qiaojin/PubMedQA"], "pqa_labeled/train-00000-of-00001.parquet")
      prompt    = "{question}"
      response  = "{long_answer}\nThe answer is: {final_decision}"
    }
    template {
      answer = "after"
      marker = "The answer is: "
    }
  }

  dataset "mmlu_pro" {
    records {
      file     = hf(local.at["UW-Madison-Lee-Lab/MMLU-Pro-CoT-Train-Labeled"], "data/train-00000-of-00001.parquet")
      prompt   = "{question}"
      response = "{chain_of_thoughts}\nThe answer is: {answer}"
    }
    template {
      answer = "after"
      marker = "The answer is: "
    }
  }

  dataset "race" {
    records {
      file            = hf(local.at["ehovy/race"], "all/train-00000-of-00001.parquet")
      validation_file = hf(local.at["ehovy/race"], "all/validation-00000-of-00001.parquet")
      test_file       = hf(local.at["ehovy/race"], "all/test-00000-of-00001.parquet")
      prompt          = "{article}\n{question}"
      response        = "{answer}"
    }
  }

  # What models of MetaMathQA and MMLU-Pro are tested on: training set and test set are two coordinates. Two things are
  # otherwise than published: a quarter of each file is the test split, and answers are found as these sets write them,
  # where a model of MetaMathQA ends with "The answer is: ", so that its accuracy here is no measure; its response loss is.
  dataset "gsm8k_platinum" {
    records {
      file     = hf(local.at["madrylab/gsm8k-platinum"], "main/test-00000-of-00001.parquet")
      prompt   = "{question}"
      response = "{answer}"
    }
    template {
      answer = "after"
      marker = "#### "
    }
  }

  dataset "math" {
    for_each = grid({ subject = ["algebra", "counting_and_probability", "geometry", "intermediate_algebra", "number_theory", "prealgebra", "precalculus"] })
    records {
      file     = hf(local.at["EleutherAI/hendrycks_math"], "${each.point.subject}/test-00000-of-00001.parquet")
      prompt   = "{problem}"
      response = "{solution}"
    }
  }

  dataset "mmlu_pro_test" {
    records {
      file     = hf(local.at["TIGER-Lab/MMLU-Pro"], "data/test-00000-of-00001.parquet")
      prompt   = "{question}"
      response = "The answer is: {answer}"
    }
    template {
      answer = "after"
      marker = "The answer is: "
    }
  }

  locals {
    sets = {
      metamath = dataset.metamath
      s1       = dataset.s1
      medmcqa  = dataset.medmcqa
      pubmedqa = dataset.pubmedqa
      mmlu_pro = dataset.mmlu_pro
      race     = dataset.race
    }
    tests = merge(local.sets, {
      gsm8k_platinum = dataset.gsm8k_platinum
      mmlu_pro_test  = dataset.mmlu_pro_test
    }, { for key, d in dataset.math : "math_${regex("subject=([a-z_]+)", key)[0]}" => d })
    tested = {
      metamath = concat(["metamath", "gsm8k_platinum"], [for key, d in dataset.math : "math_${regex("subject=([a-z_]+)", key)[0]}"])
      s1       = ["s1"]
      medmcqa  = ["medmcqa"]
      pubmedqa = ["pubmedqa"]
      mmlu_pro = ["mmlu_pro", "mmlu_pro_test"]
      race     = ["race"]
    }
  }

  pretrain "llama" {
    for_each = grid({
      model        = local.llamas
      weight_decay = distinct(concat(var.weight_decay, [0, 0.1, 1]))
      seed         = var.seeds
    })
    enabled       = contains(each.value.model.weight_decays, each.value.weight_decay)
    tokens        = tokenize.llama.tokens
    validation    = tokenize.llama.held_out
    train_tokens  = each.value.model.tokens
    max_epochs    = 1
    context       = 2048
    batch         = each.value.model.batch
    seed          = each.value.seed
    on_divergence = "record"
    model {
      layers   = each.value.model.layers
      width    = each.value.model.width
      heads    = 32
      kv_heads = 4
      ff       = each.value.model.ff
    }
    adamw {
      learning_rate = each.value.model.learning_rate
      weight_decay  = each.value.weight_decay
      decay         = "all" # norms and embeddings too
    }
    schedule {
      shape  = "cosine"
      warmup = 0.1
      final  = 0.1
    }
  }

  pretrain "olmo" {
    for_each = grid({
      model        = local.olmos
      weight_decay = [0, 0.1, 0.3, 0.6, 1]
      seed         = var.seeds
    })
    enabled       = contains(each.value.model.weight_decays, each.value.weight_decay)
    tokens        = tokenize.olmo.tokens
    validation    = tokenize.olmo.held_out
    train_tokens  = each.value.model.tokens
    max_epochs    = 1
    context       = 2048
    batch         = 512
    seed          = each.value.seed
    on_divergence = "record"
    model {
      family = "olmo2"
      layers = 16
      width  = 2048
      heads  = 16
      ff     = 8192
    }
    adamw {
      learning_rate = 4e-4
      weight_decay  = each.value.weight_decay
      decay         = "no_embeddings"
    }
    schedule {
      shape  = each.value.model.shape
      warmup = 0.1
      final  = each.value.model.final
    }
  }

  finetune "sft" {
    for_each = grid({
      base                  = union("family", { llama = pretrain.llama, olmo = pretrain.olmo })
      task                  = local.sets
      learning_rate         = local.finetuning.learning_rates
      finetune_batch        = local.finetuning.batches
      finetune_weight_decay = local.finetuning.weight_decays
      finetune_seed         = [1]
    })
    from     = each.value.base.weights
    examples = each.value.task.train
    seed     = each.value.finetune_seed
    epochs   = 3
    batch    = each.value.finetune_batch
    keep     = "7d"
    adamw {
      learning_rate = each.value.learning_rate
      weight_decay  = each.value.finetune_weight_decay
    }
    schedule {
      shape  = "cosine"
      warmup = 0.1
      final  = 0
    }
  }

  # Greedy, and 16 answers at temperature 1 with a penalty on repetition.
  probe "samples" {
    for_each = grid({
      model = finetune.sft
      test  = { for name, t in local.tests : name => t }
    })
    enabled = contains(local.tested[each.point.task], each.point.test)
    from    = each.value.model.weights
    sample {
      validation         = each.value.test.validation
      test               = each.value.test.test
      samples            = 16
      temperature        = 1
      repetition_penalty = 1.1
    }
  }

  probe "scores" {
    for_each = probe.samples
    score {
      samples = each.value.samples
      metrics = ["accuracy", "response_loss", "pass@k", "maj@k", "correct_ratio@k"]
      k       = [1, 4, 16]
    }
  }

  probe "base" {
    for_each = union("family", { llama = pretrain.llama, olmo = pretrain.olmo })
    from     = each.value.weights
    overfit {
      train      = each.point.family == "llama" ? tokenize.llama.tokens : tokenize.olmo.tokens
      validation = each.point.family == "llama" ? tokenize.llama.held_out : tokenize.olmo.held_out
      tokens     = 4194304
      seed       = each.point.seed
    }
    spectrum {}
  }

  report "paper" {
    title   = "Weight Decay Improves Language Model Plasticity"
    partial = true

    table "loss" {
      from = [for p in probe.base : p.losses]
    }
    table "attention" {
      from = [for p in probe.base : p.spectrum]
    }
    table "scores" {
      from = [for p in probe.scores : p.scores]
    }

    claim "C1" {
      says     = "Larger weight decay in pretraining makes better models after fine-tuning."
      table    = "scores"
      metric   = "accuracy"
      along    = "weight_decay"
      expected = "increasing"
      within   = ["model", "task", "test", "learning_rate", "finetune_batch", "finetune_weight_decay"]
      range    = [0, 1]
    }
    claim "C2" {
      says   = "Base models that are worse after pretraining can be better after fine-tuning."
      along  = "weight_decay"
      within = ["model", "task", "test", "learning_rate", "finetune_batch", "finetune_weight_decay"]
      base {
        table  = "loss"
        metric = "validation_loss"
      }
      after {
        table  = "scores"
        metric = "accuracy"
      }
    }
    claim "C4" {
      says     = "Larger weight decay lowers the rank of the attention matrices."
      table    = "attention"
      metric   = "pseudo_rank"
      along    = "weight_decay"
      expected = "decreasing"
      within   = ["model", "matrix"]
      over     = ["layer", "head"]
      range    = [0, 1]
      where "norm" { is = ["false"] }
    }
    claim "C5" {
      says     = "Larger weight decay reduces overfitting on the training data."
      table    = "loss"
      metric   = "gap"
      along    = "weight_decay"
      expected = "decreasing"
      within   = ["model"]
      range    = [0, 1]
    }
    figure "accuracy" {
      title = "Accuracy after fine-tuning"
      table = "scores"
      x     = "weight_decay"
      y     = "accuracy"
      lines = "model"
      facet = "test"
      over  = ["task", "learning_rate", "finetune_batch", "finetune_weight_decay"]
    }
  }
}
