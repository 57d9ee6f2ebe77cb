// expect: extra argument 'options' in call
import CoreML

func load(_ url: URL) throws -> MLModel {
  try MLModel(contentsOf: url, configuration: MLModelConfiguration(), options: 1)
}
