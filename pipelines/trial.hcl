# A trial of the study at its smallest: one regime, two tasks, two seeds. `anneal -f pipelines/trial.hcl run` takes minutes.
# The settings are those of an independent trial in PyTorch, of which docs/results.md tells.

variable "weight_decay" {
  description = "pretraining weight decays"
  type        = list(number)
  default     = [0, 0.1, 0.3, 1, 3]
}

variable "seeds" {
  description = "pretraining seeds"
  type        = list(number)
  default     = [1, 2]
}

pipeline "trial" {
  dataset "prose" {
    source = [
      gofile("src/testdata/Isaac.Newton-Opticks.txt"),
      gomodule("github.com/ollama/ollama@v0.17.4", "tokenizer/testdata/war-and-peace.txt"),
      gomodule("github.com/jdkato/prose/v2@v2.0.0", "testdata/sherlock.txt"),
      gomodule("github.com/dsnet/compress@v0.0.1", "brotli/testdata/plrabn12.txt"),
    ]
    split {
      validation = 0.1
    }
  }

  tokenize "bytes" {
    text       = [dataset.prose.train]
    held_out   = [dataset.prose.validation]
    vocab_size = 256
  }

  dataset "sort" {
    sorting {
      letters = [5, 5]
    }
    examples = 4000
    seed     = 11
  }

  dataset "author" {
    passages {
      train = dataset.prose.train
      test  = dataset.prose.validation
      bytes = 56
    }
    examples = 4000
    seed     = 14
  }

  locals {
    tasks = {
      sort   = dataset.sort
      author = dataset.author
    }
  }

  pretrain "base" {
    for_each = grid({
      weight_decay = var.weight_decay
      seed         = var.seeds
    })
    tokens     = tokenize.bytes.tokens
    validation = tokenize.bytes.held_out
    steps      = 1303 # 20 tokens a parameter, half an epoch
    context    = 64
    batch      = 32
    seed       = each.value.seed

    model {
      layers = 2
      width  = 64
      heads  = 2
      ff     = 176
    }
    adamw {
      learning_rate = 3e-3
      weight_decay  = each.value.weight_decay
    }
    schedule {
      shape  = "cosine"
      warmup = 0.1
      final  = 0.1
    }
  }

  finetune "sft" {
    for_each = grid({
      base          = pretrain.base
      task          = local.tasks
      finetune_seed = [1, 2]
    })
    from     = each.value.base.weights
    examples = each.value.task.train
    seed     = each.value.finetune_seed
    epochs   = 3
    batch    = 32
    adamw {
      learning_rate = 1e-3
      weight_decay  = 0
    }
  }

  probe "base" {
    for_each = pretrain.base
    from     = each.value.weights
    overfit {
      train      = tokenize.bytes.tokens
      validation = tokenize.bytes.held_out
      tokens     = 262144
      seed       = each.point.seed # which windows the training has read follows from its seed
    }
    spectrum {}
    separability {
      examples = dataset.author.probe
    }
  }

  probe "samples" {
    for_each = finetune.sft
    from     = each.value.weights
    sample {
      test  = local.tasks[each.point.task].test
      limit = 400
    }
  }

  probe "scores" {
    for_each = probe.samples
    score {
      samples = each.value.samples
    }
  }

  report "trial" {
    title = "A trial of the study at 133k parameters"

    table "loss" {
      from = [for p in probe.base : p.losses]
    }
    table "attention" {
      from = [for p in probe.base : p.spectrum]
    }
    table "linear" {
      from = [for p in probe.base : p.separability]
    }
    table "scores" {
      from = [for p in probe.scores : p.scores]
    }

    figure "validation_loss" {
      title = "Loss after pretraining"
      table = "loss"
      x     = "weight_decay"
      y     = "validation_loss"
      with  = ["train_loss"]
    }
    figure "gap" {
      title = "Validation loss minus training loss"
      table = "loss"
      x     = "weight_decay"
      y     = "gap"
    }
    figure "pseudo_rank" {
      title = "Pseudo-rank of the attention matrices"
      table = "attention"
      x     = "weight_decay"
      y     = "pseudo_rank"
      lines = "matrix"
      over  = ["layer", "head"]
      where "norm" { is = ["false"] }
    }
    figure "separability" {
      title = "Whose words? A linear classifier by layer"
      table = "linear"
      x     = "weight_decay"
      y     = "accuracy"
      lines = "layer"
      where "features" { is = ["hidden"] }
      where "pool" { is = ["mean"] }
    }
    figure "accuracy" {
      title = "Accuracy after fine-tuning"
      table = "scores"
      x     = "weight_decay"
      y     = "accuracy"
      lines = "task"
    }
  }
}
