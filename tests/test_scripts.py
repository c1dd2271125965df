"""Training scripts written for PyTorch, run by both libraries from the same weights and data.

Each script is a function of the package that it would import: nothing else may differ. Losses must
agree step by step.
"""

import numpy as np
import pytest
from helpers import import_torch

import fastnn

torch = import_torch()

STEPS = 5


def data(*shape, seed=0):
    return np.random.default_rng(seed).standard_normal(shape)


def whole(high, *shape, seed=0):
    return np.random.default_rng(seed).integers(0, high, shape)


def start(net, weights, package):
    """Give the network its weights: the first library's own, copied to the second."""
    if weights:
        net.load_state_dict({key: package.tensor(value) for key, value in weights.items()})
    else:
        weights.update({key: value.numpy().copy() for key, value in net.state_dict().items()})
    return net


def classifier(torch, weights):
    nn, functional = torch.nn, torch.nn.functional

    class Block(nn.Module):
        def __init__(self, channels, groups):
            super().__init__()
            self.conv = nn.Conv2d(channels, channels, 3, padding="same", groups=groups, bias=False)
            self.norm = nn.BatchNorm2d(channels)

        def forward(self, x):
            return x + functional.hardswish(self.norm(self.conv(x)))

    net = start(nn.Sequential(
        nn.Conv2d(3, 8, 3, stride=2, padding=1, padding_mode="reflect"), nn.GELU(),
        Block(8, 1), Block(8, 8), nn.AdaptiveAvgPool2d(2), nn.Flatten(), nn.LayerNorm(32),
        nn.Linear(32, 5)).double(), weights, torch)
    optimizer = torch.optim.AdamW(net.parameters(), lr=0.01, amsgrad=True)
    scheduler = torch.optim.lr_scheduler.OneCycleLR(optimizer, 0.05, total_steps=STEPS + 1)
    loss_of = nn.CrossEntropyLoss(label_smoothing=0.1)
    images, labels = torch.tensor(data(6, 3, 8, 8)), torch.tensor(whole(5, 6))
    for _ in range(STEPS):
        optimizer.zero_grad()
        loss = loss_of(net(images), labels)
        loss.backward()
        nn.utils.clip_grad_norm_(net.parameters(), 1.0)
        optimizer.step()
        scheduler.step()
        yield loss.item()
    net.eval()
    with torch.no_grad():
        yield net(images).softmax(-1).amax(1).sum().item()


def sequences(torch, weights):
    nn = torch.nn

    class Tagger(nn.Module):
        def __init__(self):
            super().__init__()
            self.embedding = nn.Embedding(20, 6, padding_idx=0)
            self.lstm = nn.LSTM(6, 5, num_layers=2, bidirectional=True, batch_first=True)
            self.gru = nn.GRU(10, 4, batch_first=True)
            self.head = nn.Linear(4, 3)

        def forward(self, tokens, lengths):
            packed = nn.utils.rnn.pack_padded_sequence(
                self.embedding(tokens), lengths, batch_first=True, enforce_sorted=False)
            packed, _ = self.lstm(packed)
            padded, _ = nn.utils.rnn.pad_packed_sequence(packed, batch_first=True)
            _, last = self.gru(padded)
            return self.head(last[0])

    net = start(Tagger().double(), weights, torch)
    optimizer = torch.optim.RMSprop(net.parameters(), lr=0.01, momentum=0.5, centered=True)
    tokens = torch.tensor(whole(19, 4, 7) + 1)
    lengths = torch.tensor([7, 3, 5, 1])
    labels = torch.tensor(whole(3, 4))
    for _ in range(STEPS):
        optimizer.zero_grad(set_to_none=True)
        loss = nn.functional.nll_loss(net(tokens, lengths).log_softmax(1), labels)
        loss.backward()
        nn.utils.clip_grad_value_(net.parameters(), 0.5)
        optimizer.step()
        yield loss.item()


def transformer(torch, weights):
    nn = torch.nn

    class Model(nn.Module):
        def __init__(self):
            super().__init__()
            self.tokens = nn.Embedding(11, 8)
            self.positions = nn.Parameter(torch.zeros(6, 8))
            layer = nn.TransformerEncoderLayer(8, 2, 16, dropout=0.0, activation="gelu",
                                               batch_first=True, norm_first=True)
            self.encoder = nn.TransformerEncoder(layer, 2, enable_nested_tensor=False)
            self.head = nn.Linear(8, 11, bias=False)

        def forward(self, x):
            mask = nn.Transformer.generate_square_subsequent_mask(x.size(1)).double()
            hidden = self.encoder(self.tokens(x) + self.positions, mask=mask, is_causal=True)
            return self.head(hidden)

    net = start(Model().double(), weights, torch)
    decay = [p for p in net.parameters() if p.dim() >= 2]
    rest = [p for p in net.parameters() if p.dim() < 2]
    optimizer = torch.optim.NAdam([{"params": decay, "weight_decay": 0.1},
                                   {"params": rest, "weight_decay": 0.0}], lr=0.01)
    scheduler = torch.optim.lr_scheduler.LambdaLR(optimizer, lambda step: 1 / (1 + step))
    text = torch.tensor(whole(11, 3, 7))
    for _ in range(STEPS):
        logits = net(text[:, :-1])
        loss = nn.functional.cross_entropy(logits.transpose(1, 2), text[:, 1:])
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        scheduler.step()
        yield loss.item()


def penalised_gan(torch, weights):
    nn = torch.nn
    net = start(nn.ModuleDict({
        "generator": nn.Sequential(nn.Linear(4, 2 * 3 * 3), nn.Unflatten(1, (2, 3, 3)),
                                   nn.BatchNorm2d(2), nn.LeakyReLU(0.2),
                                   nn.ConvTranspose2d(2, 1, 4, 2, 1), nn.Tanh()),
        "critic": nn.Sequential(nn.Conv2d(1, 3, 4, 2, 1), nn.InstanceNorm2d(3, affine=True),
                                nn.SiLU(), nn.Flatten(), nn.Linear(27, 1))}).double(),
        weights, torch)
    generator, critic = net["generator"], net["critic"]
    rates = dict(lr=1e-2, betas=(0.0, 0.9))
    of_generator = torch.optim.Adam(generator.parameters(), **rates)
    of_critic = torch.optim.Adam(critic.parameters(), **rates)
    real, noise = torch.tensor(data(5, 1, 6, 6)), torch.tensor(data(5, 4, seed=1))
    share = torch.tensor(np.random.default_rng(2).random((5, 1, 1, 1)))
    for _ in range(STEPS):
        fake = generator(noise).detach()
        mixed = torch.lerp(real, fake, share).requires_grad_()
        slope, = torch.autograd.grad(critic(mixed).sum(), mixed, create_graph=True)
        penalty = ((slope.flatten(1).norm(2, dim=1) - 1) ** 2).mean()
        loss = critic(fake).mean() - critic(real).mean() + 10 * penalty
        of_critic.zero_grad()
        loss.backward()
        of_critic.step()
        critic.requires_grad_(False)
        cheated = -critic(generator(noise)).mean()
        of_generator.zero_grad()
        cheated.backward()
        of_generator.step()
        critic.requires_grad_(True)
        yield loss.item()
        yield cheated.item()


def autoencoder(torch, weights):
    nn, functional = torch.nn, torch.nn.functional

    class Variational(nn.Module):
        def __init__(self):
            super().__init__()
            self.encoder = nn.Sequential(nn.Conv1d(1, 4, 5, stride=2, padding=2), nn.ELU(),
                                         nn.MaxPool1d(2), nn.Flatten())
            self.mean, self.log_variance = nn.Linear(16, 3), nn.Linear(16, 3)
            self.decoder = nn.Sequential(nn.Linear(3, 16), nn.Mish(), nn.Unflatten(1, (4, 4)),
                                         nn.Upsample(scale_factor=2), nn.ConvTranspose1d(
                                             4, 1, 4, stride=2, padding=1), nn.Sigmoid())

        def forward(self, x, noise):
            code = self.encoder(x)
            mean, log_variance = self.mean(code), self.log_variance(code).clamp(-5, 5)
            return self.decoder(mean + noise * torch.exp(0.5 * log_variance)), mean, log_variance

    net = start(Variational().double(), weights, torch)
    optimizer = torch.optim.SGD(net.parameters(), lr=0.05, momentum=0.9, nesterov=True)
    dataset = torch.utils.data.TensorDataset(
        torch.tensor(1 / (1 + np.exp(-data(6, 1, 16)))), torch.tensor(data(6, 3, seed=1)))
    for _ in range(STEPS):
        for x, noise in torch.utils.data.DataLoader(dataset, batch_size=4):
            rebuilt, mean, log_variance = net(x, noise)
            divergence = -0.5 * torch.sum(1 + log_variance - mean.pow(2) - log_variance.exp())
            loss = functional.binary_cross_entropy(rebuilt, x, reduction="sum") + divergence
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
            yield loss.item()


def metric_learning(torch, weights):
    nn = torch.nn

    class Swish(torch.autograd.Function):
        @staticmethod
        def forward(ctx, x):
            ctx.save_for_backward(x)
            return x * torch.sigmoid(x)

        @staticmethod
        def backward(ctx, gradient):
            x, = ctx.saved_tensors
            s = torch.sigmoid(x)
            return gradient * (s + x * s * (1 - s))

    first = nn.utils.parametrizations.weight_norm(nn.Linear(6, 8))
    net = start(nn.ModuleList([first, nn.PReLU(8), nn.Linear(8, 4)]).double(), weights, torch)

    def embed(x):
        x = torch.utils.checkpoint.checkpoint(net[1], Swish.apply(net[0](x)), use_reentrant=False)
        return nn.functional.normalize(net[2](x), dim=-1)

    optimizer = torch.optim.Adagrad(net.parameters(), lr=0.1)
    averaged = torch.optim.swa_utils.AveragedModel(
        net, multi_avg_fn=torch.optim.swa_utils.get_ema_multi_avg_fn(0.9))
    triplet = nn.TripletMarginLoss(margin=0.5)
    anchors, same, other = (torch.tensor(data(7, 6, seed=seed)) for seed in range(3))
    for _ in range(STEPS):
        loss = triplet(embed(anchors), embed(same), embed(other))
        loss = loss + torch.cdist(embed(anchors), embed(same)).logsumexp(1).mean()
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        averaged.update_parameters(net)
        yield loss.item()
    yield sum(p.sum() for p in averaged.parameters()).item()


SCRIPTS = (classifier, sequences, transformer, penalised_gan, autoencoder, metric_learning)


@pytest.mark.parametrize("script", SCRIPTS, ids=lambda script: script.__name__)
def test_same_losses(script):
    import torch.optim.swa_utils  # noqa: F401
    import torch.utils.checkpoint  # noqa: F401  scripts import it

    weights = {}
    torch.manual_seed(0)
    wanted = list(script(torch, weights))
    found = list(script(fastnn, weights))
    assert len(set(np.round(wanted, 6))) > 2, "the script does nothing"
    np.testing.assert_allclose(found, wanted, rtol=1e-7)
