# A training that is long enough to be killed in, with a snapshot after every step.
pipeline "long" {
  dataset "text" {
    source = [gofile("src/testdata/Isaac.Newton-Opticks.txt")]
    split {
      validation = 0.1
    }
  }
  tokenize "bytes" {
    text       = [dataset.text.train]
    held_out   = [dataset.text.validation]
    vocab_size = 256
  }
  pretrain "base" {
    tokens         = tokenize.bytes.tokens
    validation     = tokenize.bytes.held_out
    steps          = 500
    context        = 64
    batch          = 8
    snapshot_every = "0s"
    model {
      layers = 2
      width  = 32
      heads  = 2
      ff     = 96
    }
    save {
      fractions = [0, 0.5, 1]
    }
    evaluate {
      tokens = 2048
    }
  }
}
