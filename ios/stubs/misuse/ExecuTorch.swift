// expect: type 'String' does not conform to protocol 'Scalar'
import ExecuTorch

func input() -> Tensor<String> { Tensor<String>(["a"], shape: [1]) }
