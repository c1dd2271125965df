"""Modules: layers, losses, containers and their initial values."""

from ..ops import activation, loss, pooling
from . import functional, init, utils
from .attention import MultiheadAttention
from .containers import ModuleList, Sequential
from .from_functions import module_of
from .layers import Conv2d, ConvTranspose2d, Dropout, Flatten, Identity, Linear, Unflatten
from .module import Module
from .norms import BatchNorm1d, BatchNorm2d, LayerNorm
from .parameter import Parameter
from .transformer import (
    Transformer,
    TransformerDecoder,
    TransformerDecoderLayer,
    TransformerEncoder,
    TransformerEncoderLayer,
)

ReLU = module_of(activation.relu, "ReLU")
LeakyReLU = module_of(activation.leaky_relu, "LeakyReLU")
ELU = module_of(activation.elu, "ELU")
SELU = module_of(activation.selu, "SELU")
SiLU = module_of(activation.silu, "SiLU")
Tanh = module_of(activation.tanh, "Tanh")
Sigmoid = module_of(activation.sigmoid, "Sigmoid")
Softplus = module_of(activation.softplus, "Softplus")
Softsign = module_of(activation.softsign, "Softsign")
GELU = module_of(activation.gelu, "GELU")
Softmax = module_of(activation.softmax, "Softmax", without=("dtype",))
LogSoftmax = module_of(activation.log_softmax, "LogSoftmax", without=("dtype",))

MaxPool2d = module_of(pooling.max_pool2d, "MaxPool2d", settings=("kernel_size",),
                      last=("return_indices", "ceil_mode"))
AvgPool2d = module_of(pooling.avg_pool2d, "AvgPool2d", settings=("kernel_size",))
Unfold = module_of(pooling.unfold, "Unfold", settings=("kernel_size",))
Fold = module_of(pooling.fold, "Fold", settings=("output_size", "kernel_size"))

CrossEntropyLoss = module_of(loss.cross_entropy, "CrossEntropyLoss", tensors=("weight",))
NLLLoss = module_of(loss.nll_loss, "NLLLoss", tensors=("weight",))
MSELoss = module_of(loss.mse_loss, "MSELoss", without=("weight",))
L1Loss = module_of(loss.l1_loss, "L1Loss", without=("weight",))
BCELoss = module_of(loss.binary_cross_entropy, "BCELoss", tensors=("weight",))
BCEWithLogitsLoss = module_of(
    loss.binary_cross_entropy_with_logits, "BCEWithLogitsLoss", tensors=("weight", "pos_weight"),
    last=("pos_weight",))

__all__ = [
    "AvgPool2d", "BCELoss", "BCEWithLogitsLoss", "BatchNorm1d", "BatchNorm2d", "Conv2d",
    "ConvTranspose2d", "CrossEntropyLoss", "Dropout", "ELU", "Flatten", "Fold", "GELU", "Identity",
    "L1Loss", "LayerNorm", "LeakyReLU", "Linear", "LogSoftmax", "MSELoss", "MaxPool2d", "Module",
    "ModuleList", "MultiheadAttention", "NLLLoss", "Parameter", "ReLU", "SELU", "Sequential",
    "SiLU", "Sigmoid", "Softmax", "Softplus", "Softsign", "Tanh", "Transformer",
    "TransformerDecoder", "TransformerDecoderLayer", "TransformerEncoder",
    "TransformerEncoderLayer", "Unflatten", "Unfold", "functional", "init", "utils",
]
