# Anneal's pipelines. Run one with `go run . run demo`; edit anything and run again.

variable "weight_decay" {
  description = "pretraining weight decays of the demo"
  type        = list(number)
  default     = [0, 0.1, 1]
}

variable "seeds" {
  description = "pretraining seeds of the demo: initial weights and order of the data"
  type        = list(number)
  default     = [1]
}

# The demo: does weight decay in pretraining help later fine-tuning? A Llama-style model of 133k parameters reads
# Newton's Opticks and the documentation of Go's own packages, then learns two tasks.
pipeline "demo" {
  dataset "prose" {
    source = [
      gofile("src/testdata/Isaac.Newton-Opticks.txt"),
      godoc("std"),
      godoc("cmd/..."),
    ]
    split {
      unit       = "block" # interleaved blocks, not the end of the book
      size       = 4096
      validation = 0.1
      seed       = 1
    }
  }

  # Put five letters in order.
  dataset "sort" {
    sorting {
      letters = [5, 5]
    }
    examples = 4000
    seed     = 11
  }

  # Which of the three sources is a passage from? Tested on text that the base was never trained on.
  dataset "source" {
    passages {
      train = dataset.prose.train
      test  = dataset.prose.validation
      bytes = 56
    }
    examples = 3000
    seed     = 12
  }

  locals {
    tasks = {
      sort   = dataset.sort
      source = dataset.source
    }
  }

  tokenize "bytes" {
    text       = [dataset.prose.train]
    held_out   = [dataset.prose.validation]
    vocab_size = 256
  }

  pretrain "base" {
    for_each = grid({
      weight_decay = var.weight_decay
      seed         = var.seeds
    })
    tokens               = tokenize.bytes.tokens
    validation           = tokenize.bytes.held_out
    tokens_per_parameter = 25 # each token of the text about once
    context              = 64
    batch                = 32
    seed                 = each.value.seed

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
    save {
      fractions = [0, 1] # 0: as initialised
    }
  }

  checkpoint "untrained" {
    for_each = pretrain.base
    from     = each.value.weights
    select   = "first"
  }

  checkpoint "final" {
    for_each = pretrain.base
    from     = each.value.weights
    select   = "last"
  }

  finetune "sft" {
    for_each = grid({
      base = checkpoint.final
      task = local.tasks
    })
    from     = each.value.base.weights
    examples = each.value.task.train
    seed     = 1
    epochs   = 3
    batch    = 32
    adamw {
      learning_rate = 3e-3
      weight_decay  = 0
    }
  }

  probe "loss" {
    for_each = checkpoint.final
    from     = each.value.weights
    overfit {
      train      = tokenize.bytes.tokens
      validation = tokenize.bytes.held_out
      tokens     = 65536
    }
  }

  probe "attention" {
    for_each = checkpoint.final
    from     = each.value.weights
    spectrum {
      matrices  = ["QK", "OV"]
      threshold = 0.95
    }
  }

  probe "linear" {
    for_each = checkpoint.final
    from     = each.value.weights
    separability {
      examples = dataset.source.probe
      pool     = ["mean", "last"]
    }
  }

  # The baseline of a model that learned nothing. All weight decays start from the same weights, so it is computed once.
  probe "untrained" {
    for_each = checkpoint.untrained
    from     = each.value.weights
    separability {
      examples = dataset.source.probe
      pool     = ["mean", "last"]
    }
  }

  # Sampling and scoring are apart, so that another metric generates nothing anew.
  probe "before_samples" {
    for_each = grid({
      base = checkpoint.final
      task = local.tasks
    })
    from = each.value.base.weights
    sample {
      test  = each.value.task.test
      limit = 400
    }
  }

  probe "after_samples" {
    for_each = finetune.sft
    from     = each.value.weights
    sample {
      test  = local.tasks[each.point.task].test
      limit = 400
    }
  }

  probe "before" {
    for_each = probe.before_samples
    score {
      samples = each.value.samples
      metrics = ["accuracy", "response_loss"]
    }
  }

  probe "after" {
    for_each = probe.after_samples
    score {
      samples = each.value.samples
      metrics = ["accuracy", "response_loss"]
    }
  }

  report "demo" {
    title = "Weight decay in pretraining, and what it does to fine-tuning"

    table "loss" {
      from = [for p in probe.loss : p.losses]
    }
    table "attention" {
      from = [for p in probe.attention : p.spectrum]
    }
    table "linear" {
      from = [for p in probe.linear : p.separability]
    }
    table "untrained" {
      from = [for p in probe.untrained : p.separability]
    }
    table "before" {
      from = [for p in probe.before : p.scores]
    }
    table "after" {
      from = [for p in probe.after : p.scores]
    }
    table "curves" {
      from = [for p in pretrain.base : p.metrics]
    }

    compare "gain" {
      before = "before"
      after  = "after"
      on     = ["weight_decay", "seed", "task"]
      metric = "response_loss"
    }
    compare "downstream" {
      before = "before"
      after  = "after"
      on     = ["weight_decay", "seed", "task"]
      metric = "accuracy"
    }

    claim "C1" {
      says     = "Larger weight decay in pretraining gives larger gains from fine-tuning."
      compare  = "gain"
      along    = "weight_decay"
      expected = "increasing"
      within   = ["task"]
    }
    claim "C2" {
      says   = "Base models that are worse after pretraining can be better after fine-tuning."
      along  = "weight_decay"
      within = ["task"]
      base {
        table  = "loss"
        metric = "validation_loss"
      }
      after {
        table  = "after"
        metric = "accuracy"
      }
    }
    claim "C3" {
      says     = "Larger weight decay gives more linearly separable representations."
      table    = "linear"
      metric   = "accuracy"
      along    = "weight_decay"
      expected = "increasing"
      within   = ["layer"]
      where "features" { is = ["hidden"] }
      where "pool" { is = ["mean"] }
    }
    claim "C4" {
      says     = "Larger weight decay lowers the rank of the attention matrices."
      table    = "attention"
      metric   = "pseudo_rank"
      along    = "weight_decay"
      expected = "decreasing"
      within   = ["matrix"]
      over     = ["layer", "head"]
      where "norm" { is = ["false"] }
    }
    claim "C5" {
      says     = "Larger weight decay reduces overfitting on the training data."
      table    = "loss"
      metric   = "gap"
      along    = "weight_decay"
      expected = "decreasing"
    }
    claim "C6" {
      says   = "The weight decay that is best for cross-entropy is not the best for what follows."
      along  = "weight_decay"
      within = ["task"]
      criterion {
        table  = "loss"
        metric = "validation_loss"
      }
      criterion {
        table  = "after"
        metric = "accuracy"
      }
      criterion {
        table  = "after"
        metric = "response_loss"
      }
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
    figure "downstream" {
      title = "Accuracy before and after fine-tuning"
      table = "downstream"
      x     = "weight_decay"
      y     = "after"
      with  = ["before"]
      facet = "task"
    }
    figure "gain" {
      title = "Gain in response loss from fine-tuning"
      table = "gain"
      x     = "weight_decay"
      y     = "gain"
      lines = "task"
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
      title = "Which source is a passage from? A linear classifier by layer"
      table = "linear"
      x     = "layer"
      y     = "accuracy"
      lines = "weight_decay"
      facet = "pool"
      error = "accuracy_se"
      where "features" { is = ["hidden"] }
      reference "bag of bytes" {
        where "features" { is = ["bag_of_bytes"] }
      }
      reference "chance" {
        where "features" { is = ["chance"] }
      }
    }
    figure "untrained" {
      title = "The same classifier on the model as initialised"
      table = "untrained"
      x     = "layer"
      y     = "accuracy"
      facet = "pool"
      error = "accuracy_se"
      over  = ["weight_decay"] # equal for all
      where "features" { is = ["hidden"] }
      reference "bag of bytes" {
        where "features" { is = ["bag_of_bytes"] }
      }
      reference "chance" {
        where "features" { is = ["chance"] }
      }
    }
    figure "curves" {
      title = "Training loss"
      table = "curves"
      x     = "step"
      y     = "train_loss"
      lines = "weight_decay"
    }

    samples "generations" {
      title  = "What the models write"
      before = [for p in probe.before_samples : p.samples]
      after  = [for p in probe.after_samples : p.samples]
      limit  = 2
    }
  }
}

# Every kind in seconds: for trying things out, and for tests.
pipeline "tiny" {
  dataset "prose" {
    source = [gofile("src/testdata/Isaac.Newton-Opticks.txt"), godoc("strings"), godoc("os")]
    split {
      size       = 512
      validation = 0.2
    }
  }
  dataset "add" {
    addition {
      digits = [1, 1]
    }
    examples = 40
    seed     = 1
  }
  dataset "source" {
    passages {
      train = dataset.prose.train
      test  = dataset.prose.validation
      bytes = 24
    }
    examples = 120
    seed     = 2
  }
  tokenize "bpe" {
    text       = [dataset.prose.train]
    held_out   = [dataset.prose.validation]
    vocab_size = 288
  }
  pretrain "base" {
    for_each = grid({
      weight_decay = [0, 0.1, 1]
      seed         = [1]
    })
    tokens     = tokenize.bpe.tokens
    validation = tokenize.bpe.held_out
    steps      = 30
    context    = 32
    batch      = 4
    seed       = each.value.seed
    model {
      layers = 1
      width  = 8
      heads  = 2
      ff     = 16
    }
    adamw {
      learning_rate = 1e-2
      weight_decay  = each.value.weight_decay
    }
    save {
      fractions = [0, 1]
    }
    evaluate {
      tokens = 256
    }
  }
  # The longer training goes on from where the rate of the shorter one begins to fall.
  pretrain "longer" {
    for_each = grid({
      steps = [20, 30]
    })
    tokens         = tokenize.bpe.tokens
    steps          = each.value.steps
    context        = 32
    batch          = 4
    micro_batch    = 3
    snapshot_every = "0s" # after every step
    model {
      family = "olmo2"
      layers = 1
      width  = 8
      heads  = 2
      ff     = 16
    }
    schedule {
      shape        = "wsd"
      warmup_steps = 4
      final        = 0
    }
  }
  checkpoint "final" {
    for_each = pretrain.base
    from     = each.value.weights
  }
  finetune "sft" {
    for_each = checkpoint.final
    from     = each.value.weights
    examples = dataset.add.train
    epochs   = 1
    batch    = 4
  }
  probe "base" {
    for_each = checkpoint.final
    from     = each.value.weights
    overfit {
      train      = tokenize.bpe.tokens
      validation = tokenize.bpe.held_out
      tokens     = 256
    }
    separability {
      examples = dataset.source.probe
    }
    spectrum {}
  }
  probe "samples" {
    for_each = finetune.sft
    from     = each.value.weights
    sample {
      test  = dataset.add.test
      limit = 4
    }
  }
  probe "scores" {
    for_each = probe.samples
    score {
      samples = each.value.samples
    }
  }
  report "tiny" {
    table "loss" {
      from = [for p in probe.base : p.losses]
    }
    table "scores" {
      from = [for p in probe.scores : p.scores]
    }
    claim "C5" {
      says     = "larger weight decay reduces overfitting"
      table    = "loss"
      metric   = "gap"
      along    = "weight_decay"
      expected = "decreasing"
    }
    figure "loss" {
      table = "loss"
      x     = "weight_decay"
      y     = "validation_loss"
    }
    samples "generations" {
      after = [for p in probe.samples : p.samples]
      limit = 2
    }
  }
}
