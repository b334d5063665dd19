# Anneal's pipelines. Run one with `go run . run demo`; edit anything and run again.

variable "weight_decay" {
  description = "pretraining weight decays, in place of those that a pipeline has"
  type        = list(number)
  default     = null
}

variable "seeds" {
  description = "pretraining seeds, in place of those that a pipeline has: initial weights and order of the data"
  type        = list(number)
  default     = null
}

variable "regimes" {
  description = "what the study pretrains: keys of its local.regimes, which has olmo2_20 and larger_20 too"
  type        = list(string)
  default     = ["cosine_20", "wsd_20", "wsd_50"]
}

variable "learning_rates" {
  description = "of fine-tuning in the study"
  type        = list(number)
  default     = [1e-3, 3e-3, 1e-2]
}

variable "finetune_seeds" {
  description = "fine-tuning seeds of the study"
  type        = list(number)
  default     = [8107, 5701]
}

variable "limit" {
  description = "examples of each split that the models of the study answer"
  type        = number
  default     = 400
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
      weight_decay = coalesce(var.weight_decay, [0, 0.1, 1])
      seed         = coalesce(var.seeds, [1])
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

# The study: "Weight Decay Improves Language Model Plasticity" (Han, Bordt, Zhang and Kakade, arXiv 2602.11137) at a scale that two cores carry in
# an evening. docs/results.md has what it found; pipelines/paper.hcl the published settings.
pipeline "plasticity" {
  locals {
    decays = coalesce(var.weight_decay, [0, 0.1, 0.3, 1, 3])
    seeds  = coalesce(var.seeds, [1, 2, 3])

    # What else varies in pretraining. wsd_50 goes on from where wsd_20 leaves its peak rate.
    regimes = {
      cosine_20 = { tokens_per_parameter = 20, shape = "cosine", final = 0.1, family = "llama", layers = 2, width = 64, ff = 176 }
      wsd_20    = { tokens_per_parameter = 20, shape = "wsd", final = 0, family = "llama", layers = 2, width = 64, ff = 176 }
      wsd_50    = { tokens_per_parameter = 50, shape = "wsd", final = 0, family = "llama", layers = 2, width = 64, ff = 176 }
      olmo2_20  = { tokens_per_parameter = 20, shape = "cosine", final = 0.1, family = "olmo2", layers = 2, width = 64, ff = 176 }
      larger_20 = { tokens_per_parameter = 20, shape = "cosine", final = 0.1, family = "llama", layers = 3, width = 80, ff = 216 }
    }
  }

  # Five authors, to be told apart by their passages.
  dataset "books" {
    source = [
      gofile("src/testdata/Isaac.Newton-Opticks.txt"),
      gomodule("github.com/ollama/ollama@v0.17.4", "tokenizer/testdata/war-and-peace.txt"),
      gomodule("github.com/jdkato/prose/v2@v2.0.0", "testdata/sherlock.txt"),
      gomodule("github.com/dsnet/compress@v0.0.1", "brotli/testdata/plrabn12.txt"),
      gomodule("github.com/dsnet/compress@v0.0.1", "testdata/twain.txt"),
    ]
    split {
      size       = 4096
      validation = 0.08
      seed       = 1
    }
  }

  # Five families of packages, likewise.
  dataset "docs" {
    source = [godoc("crypto/..."), godoc("net/..."), godoc("go/..."), godoc("encoding/..."), godoc("runtime/...")]
    split {
      size       = 4096
      validation = 0.2
      seed       = 1
    }
  }

  dataset "more" {
    source = [
      gomodule("github.com/dsnet/compress@v0.0.1", "brotli/testdata/alice29.txt"),
      gomodule("github.com/dsnet/compress@v0.0.1", "brotli/testdata/asyoulik.txt"),
      gomodule("github.com/dsnet/compress@v0.0.1", "brotli/testdata/lcet10.txt"),
      godoc("cmd/..."), godoc("internal/..."),
    ]
    split {
      size       = 4096
      validation = 0.05
      seed       = 1
    }
  }

  tokenize "bytes" {
    text       = [dataset.books.train, dataset.docs.train, dataset.more.train]
    held_out   = [dataset.books.validation, dataset.docs.validation, dataset.more.validation]
    vocab_size = 256
  }

  # Put letters in the reverse order.
  dataset "reverse" {
    reversing {
      letters = [3, 4]
    }
    examples = 4000
    seed     = 11
  }

  # The value of a variable, through a chain of assignments among others.
  dataset "chain" {
    assignments {
      hops = [2, 4]
    }
    examples = 4000
    seed     = 12
  }

  # Close what a word of brackets leaves open.
  dataset "brackets" {
    brackets {
      length = [6, 10]
    }
    examples = 4000
    seed     = 13
  }

  # Who wrote this? Tested on text that the base was never trained on.
  dataset "author" {
    passages {
      train = dataset.books.train
      test  = dataset.books.validation
      bytes = 56
    }
    examples = 4000
    seed     = 14
  }

  # Which packages is this about? A second text for the linear probe.
  dataset "family" {
    passages {
      train = dataset.docs.train
      test  = dataset.docs.validation
      bytes = 56
    }
    examples = 4000
    seed     = 15
  }

  # Settings of tasks and the grid of learning rates were chosen on one base (cosine_20, weight decay 0.1, seed 1) so that
  # scores are neither at the floor nor at the ceiling, before any other weight decay was looked at.
  locals {
    tasks = {
      reverse  = dataset.reverse
      chain    = dataset.chain
      brackets = dataset.brackets
      author   = dataset.author
    }
    shots    = { reverse = [0, 2], chain = [0], brackets = [0, 1], author = [0] } # as many as the context of 64 bytes holds
    fixed    = element(var.learning_rates, 1)                                     # where all models have the same
    passages = { author = dataset.author, family = dataset.family }
  }

  pretrain "base" {
    for_each = grid({
      regime       = { for name, r in local.regimes : name => r if contains(var.regimes, name) }
      weight_decay = local.decays
      seed         = local.seeds
    })
    tokens               = tokenize.bytes.tokens
    validation           = tokenize.bytes.held_out
    tokens_per_parameter = each.value.regime.tokens_per_parameter
    max_epochs           = 1 # data that repeats would confound C2 and C5
    context              = 64
    batch                = 32
    seed                 = each.value.seed
    on_divergence        = "record" # a diverged point is a result

    model {
      family = each.value.regime.family
      layers = each.value.regime.layers
      width  = each.value.regime.width
      heads  = 2
      ff     = each.value.regime.ff
    }
    adamw {
      learning_rate = 3e-3
      weight_decay  = each.value.weight_decay
    }
    schedule {
      shape        = each.value.regime.shape
      warmup_steps = 130
      final        = each.value.regime.final
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
  }

  # What cross-entropy alone would choose.
  checkpoint "lowest_loss" {
    among  = [for p in pretrain.base : p.weights]
    select = "lowest_validation_loss"
  }

  # Every base, task, learning rate and seed.
  finetune "sft" {
    for_each = grid({
      base          = checkpoint.final
      task          = local.tasks
      learning_rate = var.learning_rates
      finetune_seed = var.finetune_seeds
    })
    from          = each.value.base.weights
    examples      = each.value.task.train
    seed          = each.value.finetune_seed
    epochs        = 3
    batch         = 32
    on_divergence = "record"
    keep          = "7d" # a thousand models: gc drops their weights, and keeps what was measured
    adamw {
      learning_rate = each.value.learning_rate
      weight_decay  = 0
    }
    schedule {
      shape  = "cosine"
      warmup = 0.1
      final  = 0
    }
  }

  probe "loss" {
    for_each = checkpoint.final
    from     = each.value.weights
    overfit {
      train      = tokenize.bytes.tokens
      validation = tokenize.bytes.held_out
      tokens     = 262144
      seed       = each.point.seed # which windows the training has read follows from its seed
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

  # What the literature on plasticity looks at.
  probe "health" {
    for_each = checkpoint.final
    from     = each.value.weights
    features {
      tokens = tokenize.bytes.held_out
    }
    norms {
      since         = checkpoint.untrained[each.key].weights
      learning_rate = 3e-3
    }
    noise {
      tokens = tokenize.bytes.held_out
      seed   = 1
    }
  }

  probe "linear" {
    for_each = grid({
      base     = checkpoint.final
      passages = local.passages
    })
    from = each.value.base.weights
    separability {
      examples = each.value.passages.probe
      pool     = ["mean", "last"]
    }
  }

  # The baseline of models that learned nothing. All weight decays start from the same weights, so it is computed once a seed.
  probe "untrained" {
    for_each = grid({
      base     = checkpoint.untrained
      passages = local.passages
    })
    from = each.value.base.weights
    separability {
      examples = each.value.passages.probe
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
      validation     = each.value.task.validation
      test           = each.value.task.test
      limit          = var.limit
      shots          = local.shots[each.point.task]
      demonstrations = length(local.shots[each.point.task]) > 1 ? each.value.task.train : null
    }
  }

  probe "after_samples" {
    for_each = finetune.sft
    from     = each.value.weights
    sample {
      validation         = local.tasks[each.point.task].validation
      test               = local.tasks[each.point.task].test
      limit              = var.limit
      samples            = 8
      temperature        = 1
      repetition_penalty = 1.1
      seed               = 1
    }
  }

  # A reward model for each task: the model fine-tuned on it from one base, trained to tell its own right answers to
  # training prompts from its wrong ones. The paper has one of 8 billion parameters in this place.
  probe "attempts" {
    for_each = finetune.sft
    enabled = (each.point.regime == var.regimes[0] && each.point.weight_decay == element(local.decays, 1) && each.point.seed == local.seeds[0]
    && each.point.learning_rate == local.fixed && each.point.finetune_seed == var.finetune_seeds[0])
    from = each.value.weights
    sample {
      test        = local.tasks[each.point.task].train
      limit       = 1000
      greedy      = false
      samples     = 4
      temperature = 1
      seed        = 2
    }
  }

  finetune "judge" {
    for_each = probe.attempts
    from     = finetune.sft[each.key].weights
    seed     = 1
    epochs   = 2
    batch    = 32
    reward {
      samples = [each.value.samples]
    }
    adamw {
      learning_rate = 1e-3
      weight_decay  = 0
    }
  }

  locals {
    judges = { for key, j in finetune.judge : one(regex("task=([a-z]+)", key)) => j.weights }
  }

  probe "judged" {
    for_each = probe.after_samples
    enabled  = each.point.learning_rate == local.fixed
    from     = local.judges[each.point.task]
    reward {
      samples = each.value.samples
    }
  }

  probe "before" {
    for_each = probe.before_samples
    score {
      samples = each.value.samples
      metrics = concat(["accuracy", "response_loss"], length(local.shots[each.point.task]) > 1 ? ["few_shot_accuracy"] : [])
    }
  }

  probe "after" {
    for_each = probe.after_samples
    score {
      samples = each.value.samples
      metrics = ["accuracy", "response_loss", "pass@k", "maj@k", "correct_ratio@k"]
      k       = [1, 8]
    }
  }

  probe "reward" {
    for_each = probe.judged
    score {
      samples = each.value.samples
      metrics = ["rm@k", "orm_score"]
      k       = [8]
    }
  }

  report "plasticity" {
    title   = "Weight decay in pretraining, and what it does to fine-tuning"
    partial = true # missing and diverged points are listed, not fatal

    table "training" {
      from = [for p in pretrain.base : p.summary]
    }
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
    table "features" {
      from = [for p in probe.health : p.features]
    }
    table "norms" {
      from = [for p in probe.health : p.norms]
    }
    table "noise" {
      from = [for p in probe.health : p.noise]
    }
    table "before" {
      from = [for p in probe.before : p.scores]
    }
    table "after" {
      from = [for p in probe.after : p.scores]
    }
    table "reward" {
      from = [for p in probe.reward : p.scores]
    }
    table "curves" {
      from = [for p in pretrain.base : p.metrics]
    }

    beside "training" {
      columns = ["repetition", "timescale"]
    }

    # Scores at every learning rate, and at the best of them for each model, chosen on validation examples.
    compare "downstream" {
      before    = "before"
      after     = "after"
      on        = ["regime", "weight_decay", "seed", "task"]
      metric    = "accuracy"
      best_over = ["learning_rate"]
    }
    compare "fit" {
      before    = "before"
      after     = "after"
      on        = ["regime", "weight_decay", "seed", "task"]
      metric    = "response_loss"
      best_over = ["learning_rate"]
    }

    interval {
      method = "t"
      levels = ["seed"]
      paired = ["seed"]
    }

    claim "C1" {
      says     = "Larger weight decay in pretraining gives larger gains in accuracy from fine-tuning, each model at its best learning rate."
      compare  = "downstream"
      along    = "weight_decay"
      expected = "increasing"
      within   = ["regime", "task"]
      range    = [0, 1]
    }
    claim "C1-loss" {
      says     = "Likewise larger gains in the loss on reference responses."
      compare  = "fit"
      along    = "weight_decay"
      expected = "increasing"
      within   = ["regime", "task"]
      range    = [0, 1]
    }
    claim "C1-fixed" {
      says     = "Likewise larger gains in accuracy, all models at one learning rate."
      compare  = "downstream"
      along    = "weight_decay"
      expected = "increasing"
      within   = ["regime", "task"]
      range    = [0, 1]
      where "learning_rate" { is = [local.fixed] }
    }
    claim "C2" {
      says   = "Base models that are worse after pretraining can be better after fine-tuning."
      along  = "weight_decay"
      within = ["regime", "task"]
      base {
        table  = "loss"
        metric = "validation_loss"
      }
      after {
        table  = "downstream"
        metric = "after"
      }
    }
    claim "C3" {
      says     = "Larger weight decay gives more linearly separable representations."
      table    = "linear"
      metric   = "accuracy"
      along    = "weight_decay"
      expected = "increasing"
      within   = ["regime", "passages", "layer"]
      range    = [0, 1]
      where "features" { is = ["hidden"] }
      where "pool" { is = ["mean"] }
    }
    claim "C4" {
      says     = "Larger weight decay lowers the rank of the attention matrices."
      table    = "attention"
      metric   = "pseudo_rank"
      along    = "weight_decay"
      expected = "decreasing"
      within   = ["regime", "matrix"]
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
      within   = ["regime"]
      range    = [0, 1]
    }
    claim "C6" {
      says   = "The weight decay that is best for cross-entropy is not the best for what follows."
      along  = "weight_decay"
      within = ["regime", "task"]
      criterion {
        table  = "loss"
        metric = "validation_loss"
      }
      criterion {
        table  = "downstream"
        metric = "after"
      }
    }

    figure "validation_loss" {
      title = "Loss after pretraining"
      table = "loss"
      x     = "weight_decay"
      y     = "validation_loss"
      lines = "regime"
    }
    figure "accuracy" {
      title = "Accuracy after fine-tuning, at each model's best learning rate"
      table = "downstream"
      x     = "weight_decay"
      y     = "after"
      lines = "regime"
      facet = "task"
    }
    figure "accuracy_before" {
      title = "Accuracy before fine-tuning"
      table = "before"
      x     = "weight_decay"
      y     = "accuracy"
      lines = "regime"
      facet = "task"
    }
    figure "gain" {
      title = "Gain in accuracy from fine-tuning"
      table = "downstream"
      x     = "weight_decay"
      y     = "gain"
      lines = "regime"
      facet = "task"
    }
    figure "fit" {
      title = "Loss on reference responses after fine-tuning"
      table = "fit"
      x     = "weight_decay"
      y     = "after"
      lines = "regime"
      facet = "task"
    }
    figure "learning_rates" {
      title = "Accuracy by the learning rate of fine-tuning"
      table = "after"
      x     = "weight_decay"
      y     = "accuracy"
      lines = "learning_rate"
      facet = "task"
      over  = ["regime"]
    }
    figure "reversals" {
      title   = "Base loss against accuracy after fine-tuning"
      kind    = "scatter"
      table   = "downstream"
      x_table = "loss"
      x       = "validation_loss"
      y       = "after"
      along   = "weight_decay"
      lines   = "regime"
      facet   = "task"
    }
    figure "pass_at_k" {
      title = "Any of 8 answers is right"
      table = "after"
      x     = "weight_decay"
      y     = "pass_at_k"
      lines = "regime"
      facet = "task"
      where "k" { is = [8] }
      where "learning_rate" { is = [local.fixed] }
    }
    figure "best_of" {
      title = "The answer that the reward model likes best of 8 is right"
      table = "reward"
      x     = "weight_decay"
      y     = "rm_at_k"
      lines = "regime"
      facet = "task"
      where "k" { is = [8] }
    }
    figure "gap" {
      title = "Validation loss minus training loss"
      table = "loss"
      x     = "weight_decay"
      y     = "gap"
      lines = "regime"
    }
    figure "separability" {
      title = "A linear classifier by depth: whose passage is it?"
      table = "linear"
      x     = "layer"
      y     = "accuracy"
      lines = "weight_decay"
      facet = "regime"
      where "features" { is = ["hidden"] }
      where "pool" { is = ["mean"] }
      where "passages" { is = ["author"] }
      reference "bag of bytes" {
        where "features" { is = ["bag_of_bytes"] }
        where "passages" { is = ["author"] }
      }
      reference "chance" {
        where "features" { is = ["chance"] }
        where "passages" { is = ["author"] }
      }
    }
    figure "untrained" {
      title = "The same classifiers on models as initialised"
      table = "untrained"
      x     = "layer"
      y     = "accuracy"
      lines = "passages"
      over  = ["weight_decay", "regime"] # equal for all but the family
      where "features" { is = ["hidden"] }
      where "pool" { is = ["mean"] }
    }
    figure "pseudo_rank" {
      title = "Pseudo-rank of the attention matrices"
      table = "attention"
      x     = "weight_decay"
      y     = "pseudo_rank"
      lines = "regime"
      facet = "matrix"
      over  = ["layer", "head"]
      where "norm" { is = ["false"] }
    }
    figure "ranks" {
      title = "Pseudo-rank of W_QK by layer and head (cosine_20)"
      kind  = "heat"
      table = "attention"
      x     = "head"
      y     = "layer"
      value = "pseudo_rank"
      facet = "weight_decay"
      where "norm" { is = ["false"] }
      where "matrix" { is = ["QK"] }
      where "regime" { is = ["cosine_20"] }
    }
    figure "dormant" {
      title = "Dormant units of the feed-forward"
      table = "features"
      x     = "weight_decay"
      y     = "dormant"
      lines = "regime"
      over  = ["layer"]
      where "centred" { is = ["true"] }
    }
    figure "noise" {
      title = "Loss under noise on the weights"
      table = "noise"
      x     = "scale"
      y     = "loss"
      lines = "weight_decay"
      facet = "regime"
    }
    figure "curves" {
      title = "Training loss"
      table = "curves"
      x     = "step"
      y     = "train_loss"
      lines = "weight_decay"
      facet = "regime"
    }

    samples "generations" {
      title  = "What the models write"
      before = [for key, p in probe.before_samples : p.samples if strcontains(key, "regime=cosine_20")]
      after  = [for key, p in probe.after_samples : p.samples if strcontains(key, "regime=cosine_20") && strcontains(key, "learning_rate=${local.fixed},")]
      limit  = 1
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
