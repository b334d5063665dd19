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
      godoc("crypto/..."),
      godoc("encoding/..."),
      godoc("net/..."),
    ]
    split {
      unit       = "block" # interleaved blocks, not the end of the book
      size       = 4096
      validation = 0.15
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

  # Which of the four sources is a passage from? Never from text that the base was trained on, in the test.
  dataset "source" {
    passages {
      train = dataset.prose.train
      test  = dataset.prose.validation
      bytes = 56
    }
    examples = 3200
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
    tokens_per_parameter = 8
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
      learning_rate = 1e-3
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
